# SPDX-License-Identifier: Apache-2.0
# Benchmarks: `make bench` prints a table and leaves build/bench.json.

$(O)/tests/copybench: tests/bench/copy_main.c $(O)/libberth.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(CC) $(ALL_LDFLAGS) -o $@ $@.o $(O)/libberth.a $(call libs,$(PKGS)) -ldl

CHECK_NEEDS += $(O)/tests/copybench
