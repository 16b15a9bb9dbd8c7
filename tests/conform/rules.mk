# SPDX-License-Identifier: Apache-2.0
# The conformance kit, and every plugin of the tree through it.

$(O)/tests/conform: $(call obj,$(wildcard tests/conform/*.c)) $(O)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs,jansson libcrypto libcurl libsystemd) -ldl

conform: all $(O)/tests/conform
	@for p in $(PLUGINS); do echo "# $$p"; $(O)/tests/conform $(O)/plugins/$$p.so || exit 1; done

CHECK_NEEDS += $(O)/tests/conform
.PHONY: conform
