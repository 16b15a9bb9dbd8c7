# SPDX-License-Identifier: Apache-2.0
# The migrations as C: each line of schema/NNN_name.sql becomes a literal.
STORE_SCHEMA := $(sort $(wildcard core/store/schema/*.sql))
GEN += $(O)/gen/store_schema.h

$(O)/gen/store_schema.h: $(STORE_SCHEMA) core/store/embed.awk
	@mkdir -p $(@D)
	awk -f core/store/embed.awk $(STORE_SCHEMA) >$@
