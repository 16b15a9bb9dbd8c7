// SPDX-License-Identifier: Apache-2.0

// One binary for the tests: etcd, kube-apiserver and kube-controller-manager,
// chosen by the first argument.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kube etcd|apiserver|controller-manager [flags]")
		os.Exit(2)
	}
	what := os.Args[1]
	args := append([]string{what}, os.Args[2:]...)
	os.Args = args
	switch what {
	case "etcd":
		etcdmain.Main(args)
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controller-manager":
		os.Exit(cli.Run(kcm.NewControllerManagerCommand()))
	default:
		os.Exit(2)
	}
}
