# SPDX-License-Identifier: Apache-2.0
# Documents made at build time: what has a table in the code is printed from it.

$(O)/conf_gen: docs/conf_gen.c core/conf/options.c core/conf/settings.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ docs/conf_gen.c core/conf/options.c
$(O)/etc/berth.conf: $(O)/conf_gen
	@mkdir -p $(@D)
	$< file >$@
$(O)/docs/berth.conf.5: $(O)/conf_gen
	@mkdir -p $(@D)
	$< man >$@

MANUALS := $(O)/docs/berth.conf.5 $(wildcard docs/*.[1578])
docs: $(O)/etc/berth.conf $(MANUALS)
CHECK_NEEDS += docs
.PHONY: docs
