# SPDX-License-Identifier: Apache-2.0
# berthctl, the library that its unit tests link, and its manual pages, which
# the program writes from its own command table. libjq (for --jq) is used where
# its header is found.

CLIENT_LIB_SRC := $(filter-out client/main.c,$(CLIENT_SRC))
HAVE_JQ := $(shell echo '#include <jq.h>' | $(CC) -E - >/dev/null 2>&1 && echo yes)
CLIENT_LIBS = $(call libs,$(PKGS_cli) libsystemd) $(if $(HAVE_JQ),-ljq)
$(O)/obj/client/jq.o: CFLAGS += $(if $(HAVE_JQ),-DBERTH_HAVE_JQ)

$(O)/libclient.a: $(call obj,$(CLIENT_LIB_SRC))
	@rm -f $@ && ar rcs $@ $^
$(O)/berthctl: $(O)/obj/client/main.o $(O)/libclient.a $(O)/libshared.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

# Unit tests of the client: test_client_WHAT.c.
$(O)/unit/test_client_%: tests/unit/test_client_%.c $(O)/libclient.a $(O)/libshared.a
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -c -o $@.o $<
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $@.o $(O)/libclient.a $(O)/libshared.a $(CLIENT_LIBS) \
		$(call libs,cmocka)

# berthctl.1, berthctl-NOUN.1 and the completion scripts.
client-man: $(O)/berthctl
	@mkdir -p $(O)/man $(O)/completions
	@$< --man >$(O)/man/berthctl.1
	@for n in $$($< --man --list); do $< --man $$n >$(O)/man/berthctl-$$n.1 || exit 1; done
	@for s in bash zsh fish; do $< completion $$s >$(O)/completions/berthctl.$$s || exit 1; done

.PHONY: client-man

# Fuzz targets of the client: tests/fuzz/fuzz_client_WHAT.c.
$(O)/fuzz/client_%: tests/fuzz/fuzz_client_%.c $(O)/libclient.a $(O)/libshared.a
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -Wno-missing-prototypes -c -o $@.o $<
	$(CC) -fsanitize=fuzzer,address,undefined $(LDFLAGS) -o $@ $@.o $(O)/libclient.a \
		$(O)/libshared.a $(CLIENT_LIBS)
