# SPDX-License-Identifier: Apache-2.0
# Programs that tests use: drive calls one slot of a plugin by itself.

$(O)/tests/drive: tests/lib/drive.c $(O)/libshared.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(CC) $(ALL_LDFLAGS) -o $@ $@.o $(O)/libshared.a $(call libs,$(PKGS_plugin) libsystemd) -ldl

CHECK_NEEDS += $(O)/tests/drive
