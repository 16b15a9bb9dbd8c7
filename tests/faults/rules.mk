# SPDX-License-Identifier: Apache-2.0
# The fault shim (preloaded) and the program whose every write is a place to
# die; test_kill_writes.py drives them.

$(O)/tests/faults.so: tests/faults/shim.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O1 -g -fPIC -shared $(WARN) -o $@ $< -ldl

$(O)/tests/steps: tests/faults/steps.c $(O)/libberth.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(CC) $(ALL_LDFLAGS) -o $@ $@.o $(O)/libberth.a $(call libs,$(PKGS)) -ldl

CHECK_NEEDS += $(O)/tests/faults.so $(O)/tests/steps
