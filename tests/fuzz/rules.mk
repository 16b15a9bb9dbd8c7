# SPDX-License-Identifier: Apache-2.0
# Fuzz targets: tests/fuzz/fuzz_X.c defines LLVMFuzzerTestOneInput; inputs
# worth keeping are in tests/fuzz/corpus/X. tests/fuzz/plugin.c with the objects of
# each plugin of the tree is plugin_NAME.
#
#   make fuzz FUZZ_SECONDS=600 FUZZ=manifest     one target, ten minutes
#   make fuzz FUZZ_SEED=0                        another way through each time
#   make fuzz-build                              only build them

FUZZ_SECONDS ?= 10
FUZZ_SEED ?= 1
FUZZ ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)) $(PLUGINS:%=plugin_%)
FUZZ_O := build-fuzz
FUZZ_FLAGS := CC=clang O=$(FUZZ_O) SAN=fuzzer-no-link,address,undefined

fuzz-build:
	@$(MAKE) --no-print-directory -s $(FUZZ_FLAGS) CFLAGS="-O1 -g" fuzz-targets

fuzz-targets: $(patsubst %,$(O)/fuzz/%,$(FUZZ))

$(O)/fuzz/%: tests/fuzz/fuzz_%.c $(O)/libberth.a $(O)/libshared.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -Wno-missing-prototypes -c -o $@.o $<
	$(CC) -fsanitize=fuzzer,address,undefined $(LDFLAGS) -o $@ $@.o $(O)/libshared.a \
		$(O)/libberth.a $(call libs,$(PKGS)) -ldl

FUZZ_WIRE := start free resume
define FUZZ_PLUGIN_RULE
$(O)/fuzz/plugin_$(1): $(O)/obj/tests/fuzz/plugin.o $$(call obj,$$(wildcard plugins/$(1)/*.c)) \
		$(O)/libberth.a $(O)/libshared.a
	@mkdir -p $$(@D)
	$$(CC) -fsanitize=fuzzer,address,undefined $$(LDFLAGS) $$(FUZZ_WIRE:%=-Wl,--wrap=net_exchange_%) \
		-o $$@ $$^ $$(call libs,$$(PKGS) $$(PKGS_$(1))) -ldl
endef
$(foreach p,$(PLUGINS),$(eval $(call FUZZ_PLUGIN_RULE,$(p))))

# New inputs go to the build folder; what finds something stays as crash-*.
fuzz: fuzz-build
	@failed=0; for t in $(FUZZ); do \
		mkdir -p $(FUZZ_O)/corpus/$$t tests/fuzz/corpus/$$t; \
		if $(FUZZ_O)/fuzz/$$t -seed=$(FUZZ_SEED) -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
			-rss_limit_mb=1024 -max_len=65536 -artifact_prefix=$(FUZZ_O)/corpus/$$t/ -print_final_stats=1 \
			$(FUZZ_O)/corpus/$$t tests/fuzz/corpus/$$t >$(FUZZ_O)/$$t.log 2>&1; \
		then echo "ok   fuzz-$$t"; \
		else echo "FAIL fuzz-$$t"; tail -40 $(FUZZ_O)/$$t.log; failed=1; fi; \
	done; rmdir tests/fuzz/corpus/* 2>/dev/null; exit $$failed

.PHONY: fuzz fuzz-build fuzz-targets
