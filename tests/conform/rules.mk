# SPDX-License-Identifier: Apache-2.0
# The conformance kit, and every plugin of the tree through it, each with its
# plugins/NAME/conform.script. Builds build/tests/drive too, which calls one slot.
#
#   make conform PLUGIN=some/where/name.so SCRIPT=FILE    one plugin, and its script

$(O)/tests/conform: $(call obj,$(wildcard tests/conform/*.c)) $(O)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs,jansson libcrypto libcurl libsystemd) -ldl

conform: all $(O)/tests/conform $(O)/tests/drive
	@for p in $(or $(PLUGIN),$(PLUGINS:%=$(O)/plugins/%.so)); do \
		echo "# $$p"; script="$(SCRIPT)"; own=plugins/$$(basename $$p .so)/conform.script; \
		if [ -z "$$script" ] && [ -f $$own ]; then script=$$own; fi; \
		$(O)/tests/conform $${script:+--script "$$script"} "$$p" || exit 1; done

CHECK_NEEDS += $(O)/tests/conform
.PHONY: conform
