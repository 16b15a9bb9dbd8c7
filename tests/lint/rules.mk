# SPDX-License-Identifier: Apache-2.0
# `make lint`: the checks of tests/lint/lint.sh, all or LINT="size format".

lint: all
	@tests/lint/lint.sh $(O) $(if $(filter default,$(origin LINT)),,$(LINT)) # make has a LINT

.PHONY: lint
