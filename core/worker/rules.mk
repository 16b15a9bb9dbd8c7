# SPDX-License-Identifier: Apache-2.0
# Plugins for the tests of the worker: tests/plugin/bad_X.c becomes bad-X.so.

TEST_PLUGINS := $(foreach p,$(notdir $(basename $(wildcard tests/plugin/*.c))),$(subst _,-,$(p)))
TEST_PLUGIN_SO := $(TEST_PLUGINS:%=$(O)/tests/plugin/%.so)
CHECK_NEEDS += $(TEST_PLUGIN_SO)

define TEST_PLUGIN
$(O)/tests/plugin/$(1).so: tests/plugin/$(subst -,_,$(1)).c include/berth/plugin.h \
		include/berth/ops.h include/berth/error.h $(wildcard tests/plugin/*.h)
	@mkdir -p $$(@D) && chmod go-w $$(@D)
	$$(CC) $$(ALL_CFLAGS) -shared -Wl,-z,lazy -o $$@ $$<
	@chmod go-w $$@
endef
$(foreach p,$(TEST_PLUGINS),$(eval $(call TEST_PLUGIN,$(p))))

# The same fixture in the place of a real plugin, for tests through the API.
$(O)/tests/plugin-as/dockerreg.so: tests/plugin/fixture.c include/berth/plugin.h include/berth/ops.h
	@mkdir -p $(@D) && chmod go-w $(@D)
	$(CC) $(ALL_CFLAGS) -DFIXTURE_NAME='"dockerreg"' -shared -o $@ $<
	@chmod go-w $@
CHECK_NEEDS += $(O)/tests/plugin-as/dockerreg.so
