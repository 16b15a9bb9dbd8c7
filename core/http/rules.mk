# SPDX-License-Identifier: Apache-2.0
# The route and validation tables, made of docs/openapi.json by a host tool.
HOSTCC ?= cc
GEN += $(O)/gen/api_routes.c $(O)/gen/api_handlers.h
GEN_OBJ += $(O)/obj/gen/api_routes.o

$(O)/openapi_gen: core/http/openapi_gen.c core/http/openapi_gen_schema.c core/http/openapi_gen.h
	@mkdir -p $(@D)
	$(call say,HOST)
	$(Q)$(HOSTCC) -std=c11 -D_GNU_SOURCE $(WARN) -I. $(shell $(PKG_CONFIG) --cflags jansson) -O1 -o $@ \
		$(filter %.c,$^) $(call libs,jansson)
$(O)/gen/api_routes.c $(O)/gen/api_handlers.h &: docs/openapi.json $(O)/openapi_gen
	@mkdir -p $(@D)
	$(call say,GEN )
	$(Q)$(O)/openapi_gen $< $(O)/gen/api_routes.c $(O)/gen/api_handlers.h
$(O)/obj/gen/api_routes.o: $(O)/gen/api_routes.c
	@mkdir -p $(@D)
	$(call say,CC  )
	$(Q)$(COMPILE)
