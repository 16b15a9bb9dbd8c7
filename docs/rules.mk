# SPDX-License-Identifier: Apache-2.0
# Documents made at build time: what has a table in the code is printed from it.

$(O)/conf_gen: docs/conf_gen.c core/conf/options.c core/conf/settings.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ docs/conf_gen.c core/conf/options.c
$(O)/etc/berth.conf: $(O)/conf_gen
	@mkdir -p $(@D)
	$< file >$@
# The copy in the tree, for readers: lint holds it against the table.
etc: $(O)/etc/berth.conf
	cp $< etc/berth.conf
$(O)/docs/berth.conf.5: $(O)/conf_gen
	@mkdir -p $(@D)
	$< man >$@

$(O)/api_gen: docs/api_gen.c $(O)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ docs/api_gen.c $(O)/libberth.a $(call libs,$(PKGS)) -ldl
$(O)/docs/berth-api.7: $(O)/api_gen docs/berth-api.7.in
	@mkdir -p $(@D)
	$< docs/berth-api.7.in >$@

MANUALS += $(O)/docs/berth.conf.5 $(O)/docs/berth-api.7 $(wildcard docs/*.[1578])
docs: $(O)/etc/berth.conf $(MANUALS)
CHECK_NEEDS += docs
.PHONY: docs etc
