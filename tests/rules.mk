# SPDX-License-Identifier: Apache-2.0
# Tests and the demonstration. `sudo make check` and `sudo make demo` install
# what they need as root and do the rest as the calling user: see as_user in
# packaging/rules.mk.

check:
	@packaging/deps test
	@$(as_user) $(MAKE) --no-print-directory $(parallel) check-here

demo:
	@packaging/deps demo
	@$(as_user) $(MAKE) --no-print-directory $(parallel) demo-here

# What a test suite needs beyond `all` adds itself to CHECK_NEEDS.
check-here: all $(UNITS:%=$(O)/unit/%) $(CHECK_NEEDS)
	@MAKEFLAGS= tests/run --build $(O) $(SUITES)

e2e: all $(CHECK_NEEDS)
	@MAKEFLAGS= tests/run --build $(O) e2e

# What runs against a real Kubernetes API server, which is built first where it is
# missing: see tests/tools/kube.
KUBE_SUITES := e2e/kube e2e/kube_tenants
check-kube: all $(CHECK_NEEDS)
	@BERTH_KUBE_BUILD=yes MAKEFLAGS= tests/run --build $(O) $(KUBE_SUITES)

demo-here: all
	@BERTH_BUILD=$(O) tests/demo/demo

.PHONY: check check-here check-kube demo demo-here e2e
