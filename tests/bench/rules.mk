# SPDX-License-Identifier: Apache-2.0
# Benchmarks: `make bench` prints a table and leaves build/bench.json.

$(O)/tests/copybench: tests/bench/copy_main.c $(O)/libberth.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(CC) $(ALL_LDFLAGS) -Wl,--as-needed -o $@ $@.o $(O)/libberth.a $(call libs,$(PKGS)) -ldl

$(O)/tests/selectbench: tests/bench/select_main.c $(O)/libberth.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(CC) $(ALL_LDFLAGS) -Wl,--as-needed -o $@ $@.o $(O)/libberth.a $(call libs,$(PKGS)) -ldl

CHECK_NEEDS += $(O)/tests/copybench

# `make bench`, or `make bench BENCH="--only copy --rtt 50"`.
bench:
	@packaging/deps bench
	@$(as_user) $(MAKE) --no-print-directory $(parallel) bench-here

bench-here: all $(O)/tests/copybench $(O)/tests/selectbench $(O)/tests/drive
	@BERTH_BUILD=$(O) tests/bench/bench --json $(O)/bench.json $(BENCH)

.PHONY: bench bench-here
