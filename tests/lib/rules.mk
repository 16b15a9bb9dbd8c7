# SPDX-License-Identifier: Apache-2.0
# Programs that tests use: drive calls one slot of a plugin by itself.

$(O)/tests/drive: tests/lib/drive.c $(O)/libberth.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(CC) $(ALL_LDFLAGS) -o $@ $@.o $(O)/libberth.a $(call libs,jansson libcrypto libcurl libsystemd) -ldl

CHECK_NEEDS += $(O)/tests/drive

# The store's SQL as PostgreSQL reads it.
$(O)/tests/sqltexts: tests/lib/sqltexts.c $(O)/libberth.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(CC) $(ALL_LDFLAGS) -o $@ $@.o $(O)/libberth.a $(call libs,$(PKGS)) -ldl

CHECK_NEEDS += $(O)/tests/sqltexts
