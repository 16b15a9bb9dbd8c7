# SPDX-License-Identifier: Apache-2.0
# Berth's only makefile. `make help` lists the targets.
#
#   O=DIR      where everything built goes (default build)
#   SAN=...    address,undefined or thread: sanitizers, in O=build-SAN
#   COV=1      coverage, in O=build-cov
#   WERROR=    warnings are not errors (packages)
#   V=1        show whole commands
#   DESTDIR, PREFIX, SYSCONFDIR, LIBDIR, UNITDIR: where install puts things
#
# A plugin is a folder plugins/NAME with C files; PKGS_NAME lists the
# libraries that it needs beyond the common ones. core/base, core/net,
# core/oci and plugins/common are linked into each plugin, hidden.

comma := ,
VERSION := 0.1.0
O ?= $(if $(SAN),build-$(subst $(comma),-,$(SAN)),$(if $(COV),build-cov,build))
PREFIX ?= /usr
SYSCONFDIR ?= /etc
LIBDIR ?= $(PREFIX)/lib
UNITDIR ?= $(PREFIX)/lib/systemd/system
PLUGINDIR ?= $(LIBDIR)/berth/plugins
WERROR ?= -Werror
Q := $(if $(V),,@)
say = $(if $(V),,$(if $(findstring s,$(filter-out --%,$(MAKEFLAGS))),,@echo '  $(1) $@'))
CCACHE := $(shell command -v ccache)
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
PKG_CONFIG ?= pkg-config

PKGS := libcurl jansson libmicrohttpd libconfig sqlite3 libsystemd libcrypto libpsl yaml-0.1
PKGS_cli := jansson smartcols libcrypto yaml-0.1
PKGS_plugin := libcurl jansson libcrypto libpsl
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion \
	-Wno-format-truncation -Wno-unknown-warning-option \
	-Wno-missing-field-initializers $(WERROR)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong \
	-fPIC -fvisibility=hidden $(WARN) -Iinclude -I. -I$(O)/gen $(shell $(PKG_CONFIG) --cflags \
	$(PKGS) $(PKGS_cli)) -DBERTH_VERSION='"$(VERSION)"' -DBERTH_PLUGINDIR='"$(PLUGINDIR)"' \
	-DBERTH_SYSCONFDIR='"$(SYSCONFDIR)"' $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) \
	$(if $(COV),--coverage) $(CFLAGS)
ALL_LDFLAGS = -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage) $(LDFLAGS)
COMPILE = $(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
libs = $(shell $(PKG_CONFIG) --libs $(1))

CORE_SRC := $(filter-out core/main.c core/http/openapi_gen%,$(shell find core -name '*.c' | sort))
SHARED_SRC := $(filter core/base/% core/net/% core/oci/% core/http/problem.c,$(CORE_SRC)) $(wildcard plugins/common/*.c)
CLIENT_SRC := $(wildcard client/*.c)
PLUGINS := $(filter-out common,$(notdir $(patsubst %/,%,$(wildcard plugins/*/))))
UNITS := $(basename $(notdir $(wildcard tests/unit/test_*.c)))
obj = $(patsubst %.c,$(O)/obj/%.o,$(1))
GEN :=

all: $(O)/berthd $(O)/berthctl $(PLUGINS:%=$(O)/plugins/%.so)

# Further rules by area: generated tables, documents, packaging, tests. The
# order counts: tests/rules.mk comes last and needs what the others add.
-include $(wildcard core/*/rules.mk client/rules.mk docs/rules.mk packaging/rules.mk tests/*/rules.mk)
-include tests/rules.mk

$(O)/libberth.a: $(call obj,$(CORE_SRC)) $(GEN_OBJ)
	@rm -f $@ && ar rcs $@ $^
$(O)/libshared.a: $(call obj,$(SHARED_SRC))
	@rm -f $@ && ar rcs $@ $^
$(O)/berthd: $(O)/obj/core/main.o $(O)/libberth.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs,$(PKGS)) -ldl

# berthd loads no file that others may write to, whatever the umask here was.
define PLUGIN_RULE
$(O)/plugins/$(1).so: $$(call obj,$$(wildcard plugins/$(1)/*.c)) $(O)/libshared.a
	@mkdir -p $$(@D) && chmod go-w $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) -shared $$(ALL_LDFLAGS) $$(if $$(SAN),,-Wl,-z,defs) -Wl,--exclude-libs,ALL -Wl,--gc-sections \
		-o $$@ $$^ $$(call libs,$$(PKGS_plugin) $$(PKGS_$(1)))
	@chmod go-w $$@
endef
$(foreach p,$(PLUGINS),$(eval $(call PLUGIN_RULE,$(p))))

$(O)/obj/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,CC  )
	$(Q)$(COMPILE)

$(O)/unit/%: tests/unit/%.c $(O)/libberth.a
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $@.o $(O)/libberth.a $(call libs,$(PKGS) cmocka) -ldl

unit: all $(UNITS:%=$(O)/unit/%)
	@for t in $(UNITS); do $(O)/unit/$$t >$(O)/unit/$$t.log 2>&1 && echo "ok   $$t" || \
		{ echo "FAIL $$t"; cat $(O)/unit/$$t.log; exit 1; }; done

clean:
	rm -rf build build-*

help:
	@echo "make            build/berthd, build/berthctl, build/plugins/*.so"
	@echo "make unit       unit tests, seconds"
	@echo "make check      every suite (installs what it needs; see tests/README.md)"
	@echo "make check-kube what needs a Kubernetes API server (built once, 10 minutes)"
	@echo "make demo       two registries, a daemon and a guided tour"
	@echo "make lint fuzz bench e2e conform    one kind of check"
	@echo "make conform PLUGIN=FILE SCRIPT=FILE    the conformance kit on one plugin"
	@echo "make install uninstall dist         DESTDIR and PREFIX are heeded"
	@echo "make clean"

.PHONY: all unit clean help
.DELETE_ON_ERROR:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
