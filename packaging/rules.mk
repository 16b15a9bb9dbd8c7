# SPDX-License-Identifier: Apache-2.0
# install, uninstall and dist. Everything goes below DESTDIR; nothing is
# enabled, started, or given to another user: that is the packages' part.

BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(PREFIX)/share/pkgconfig
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
DOCDIR ?= $(PREFIX)/share/doc/berth
COMPDIR_bash ?= $(PREFIX)/share/bash-completion/completions
COMPDIR_zsh ?= $(PREFIX)/share/zsh/site-functions
COMPDIR_fish ?= $(PREFIX)/share/fish/vendor_completions.d
# The worker's root folder: empty, everything in it is bound there by its unit.
WORKERROOT ?= $(PREFIX)/lib/berth/root

# Below PREFIX a path is written with it, so that a moved tree stays right.
below = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
# A line of what is installed: MODE SOURCE TARGET.
put = @install -D -m $(1) $(2) $(DESTDIR)$(3)

# `sudo make TARGET` does what needs root as root and the rest as the calling user,
# so that nothing in the tree belongs to root.
as_user = $(if $(SUDO_USER),$(if $(filter 0,$(shell id -u)),runuser -u $(SUDO_USER) -- \
	env HOME=$(shell getent passwd $(SUDO_USER) | cut -d: -f6)))
parallel = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# What has a path compiled or written into it is made again when that is another.
PATHS = $(PREFIX) $(SBINDIR) $(LIBDIR) $(PLUGINDIR) $(SYSCONFDIR) $(WORKERROOT)
$(O)/paths: always
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2>/dev/null)" = '$(PATHS)' ] || echo '$(PATHS)' >$@
$(call obj,core/main.c core/daemon/paths.c): $(O)/paths

# What the worker sees of its own installation, where that is not below /usr.
OUTSIDE = $(filter-out /usr /usr/%,$(PREFIX))
UNITS_SYSTEMD := berthd.service berth-worker.service berth-hooks.service
$(UNITS_SYSTEMD:%=$(O)/systemd/%): $(O)/systemd/%: systemd/%.in $(O)/paths packaging/rules.mk
	@mkdir -p $(@D)
	@sed -e 's|@BINDIR@|$(SBINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' \
		-e 's|@WORKERROOT@|$(WORKERROOT)|g' \
		-e '$(if $(OUTSIDE),s|@OUTSIDE@|$(OUTSIDE)|,/@OUTSIDE@/d)' $< >$@
$(O)/packaging/berth-plugin.pc: packaging/berth-plugin.pc.in Makefile $(O)/paths packaging/rules.mk
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(call below,$(LIBDIR))|g' \
		-e 's|@PLUGINDIR@|$(call below,$(PLUGINDIR))|g' -e 's|@VERSION@|$(VERSION)|g' $< >$@

INSTALL_NEEDS = $(UNITS_SYSTEMD:%=$(O)/systemd/%) $(O)/packaging/berth-plugin.pc docs \
	$(O)/tests/conform $(O)/tests/drive client-man
CHECK_NEEDS += $(INSTALL_NEEDS)

built-to-install: all $(INSTALL_NEEDS)

install:
	@$(as_user) $(MAKE) --no-print-directory $(parallel) built-to-install
	$(call put,0755,$(O)/berthd,$(SBINDIR)/berthd)
	$(call put,0755,$(O)/berthctl,$(BINDIR)/berthctl)
	$(call put,0755,$(O)/tests/conform,$(LIBDIR)/berth/conform)
	$(call put,0755,$(O)/tests/drive,$(LIBDIR)/berth/drive)
	@install -d $(DESTDIR)$(PLUGINDIR) $(DESTDIR)$(WORKERROOT)
	@for p in $(PLUGINS); do install -m 0644 $(O)/plugins/$$p.so $(DESTDIR)$(PLUGINDIR)/ || exit 1; done
	@for h in include/berth/*.h; do \
		install -D -m 0644 $$h $(DESTDIR)$(INCLUDEDIR)/berth/$${h##*/} || exit 1; done
	$(call put,0644,$(O)/packaging/berth-plugin.pc,$(PKGCONFIGDIR)/berth-plugin.pc)
	@conf=$(DESTDIR)$(SYSCONFDIR)/berth/berth.conf; \
	if [ ! -e $$conf ] || cmp -s etc/berth.conf $$conf; then install -D -m 0644 etc/berth.conf $$conf; \
	else install -m 0644 etc/berth.conf $$conf.new && \
		echo "$$conf was edited and stays; the new one is $$conf.new"; fi
	@for u in $(UNITS_SYSTEMD:%=$(O)/systemd/%) systemd/*.socket; do \
		install -D -m 0644 $$u $(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; done
	$(call put,0644,systemd/berth.sysusers.conf,$(SYSUSERSDIR)/berth.conf)
	$(call put,0644,systemd/berth.tmpfiles.conf,$(TMPFILESDIR)/berth.conf)
	@for m in $(sort $(MANUALS)) $(O)/man/*; do \
		install -D -m 0644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit 1; done
	$(call put,0644,$(O)/completions/berthctl.bash,$(COMPDIR_bash)/berthctl)
	$(call put,0644,$(O)/completions/berthctl.zsh,$(COMPDIR_zsh)/_berthctl)
	$(call put,0644,$(O)/completions/berthctl.fish,$(COMPDIR_fish)/berthctl.fish)
	@for d in README.md NEWS.md docs/openapi.json; do [ ! -e $$d ] || \
		install -D -m 0644 $$d $(DESTDIR)$(DOCDIR)/$${d##*/} || exit 1; done
	@for d in docs/plugin-template/*; do \
		install -D -m 0644 $$d $(DESTDIR)$(DOCDIR)/plugin-template/$${d##*/} || exit 1; done

# What install put there and nothing else; configuration and state stay.
uninstall:
	@rm -f $(DESTDIR)$(SBINDIR)/berthd $(DESTDIR)$(BINDIR)/berthctl $(DESTDIR)$(LIBDIR)/berth/conform \
		$(DESTDIR)$(LIBDIR)/berth/drive
	@rm -f $(PLUGINS:%=$(DESTDIR)$(PLUGINDIR)/%.so)
	@rm -f $(patsubst include/%,$(DESTDIR)$(INCLUDEDIR)/%,$(wildcard include/berth/*.h))
	@rm -f $(DESTDIR)$(PKGCONFIGDIR)/berth-plugin.pc $(DESTDIR)$(SYSUSERSDIR)/berth.conf \
		$(DESTDIR)$(TMPFILESDIR)/berth.conf
	@rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS_SYSTEMD) $(notdir $(wildcard systemd/*.socket)))
	@rm -f $(foreach m,$(sort $(MANUALS)),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
	@rm -f $(DESTDIR)$(MANDIR)/man1/berthctl*.1 $(DESTDIR)$(COMPDIR_bash)/berthctl \
		$(DESTDIR)$(COMPDIR_zsh)/_berthctl $(DESTDIR)$(COMPDIR_fish)/berthctl.fish
	@rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)$(SYSCONFDIR)/berth/berth.conf.new
	@-rmdir $(DESTDIR)$(PLUGINDIR) $(DESTDIR)$(WORKERROOT) $(DESTDIR)$(LIBDIR)/berth \
		$(DESTDIR)$(INCLUDEDIR)/berth 2>/dev/null || true

# The tree as it is committed.
dist:
	@mkdir -p $(O)
	git archive --format=tar --prefix=berth-$(VERSION)/ HEAD | gzip -n9 >$(O)/berth-$(VERSION).tar.gz
	@echo $(O)/berth-$(VERSION).tar.gz

.PHONY: always built-to-install install uninstall dist
