#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What test_boot.py runs as root in a machine that systemd booted: installs the
# users, starts the units, and does as an administrator would. Each step leaves
# /results/STEP.out and .rc; no step decides whether it went well.

mkdir -p /results
step() {
	local name=$1
	shift
	timeout 60 "$@" >"/results/$name.out" 2>&1 </dev/null
	echo $? >"/results/$name.rc"
}
kill_main() { # UNIT
	local pid
	pid=$(systemctl show -P MainPID "$1")
	[ "$pid" -le 1 ] || kill -9 "$pid"
}
until_active() { # UNIT: settled one way or the other
	timeout 60 bash -c "until systemctl -q is-active $1 || systemctl -q is-failed $1; do sleep 0.1; done"
}

systemd-creds setup
mkdir -p /etc/credstore.encrypted
openssl rand -hex 32 |
	systemd-creds encrypt --name=master-key - /etc/credstore.encrypted/master-key
useradd -m -G berth-users,berth-admin alice
useradd -m -G berth-users bob
useradd -m carl
docker-registry serve /registry.yml >/results/registry.log 2>&1 &
timeout 60 bash -c 'until (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; do sleep 0.1; done'

step enable systemctl enable --now berthd.socket berth-worker.socket
step before systemctl is-active berthd.service
step plugins runuser -u alice -- berthctl plugin list -o name
step active systemctl is-active berthd.service berth-worker.service
step status systemctl show -P StatusText berthd.service
step add runuser -u alice -- berthctl integration add hub --kind dockerreg \
	--address http://127.0.0.1:5000
step list runuser -u alice -- berthctl integration list -o name
step no-role runuser -u bob -- berthctl integration list
step no-group runuser -u carl -- berthctl integration list
step worker-socket runuser -u alice -- bash -c ': </run/berth/worker.sock'
step store runuser -u alice -- ls /var/lib/berth
step address-families bash -c \
	"nsenter -t \$(systemctl show -P MainPID berthd) -n ls /sys/class/net"
step reload systemctl reload berthd.service
step reload-worker systemctl reload berth-worker.service
step after-reload runuser -u alice -- berthctl plugin list -o name
folder=$(dirname "$(find /usr -name jfrog.so)")
mv "$folder/jfrog.so" /root/
step plugin-gone runuser -u alice -- berthctl daemon reload
step list-gone runuser -u alice -- berthctl plugin list -o name
mv /root/jfrog.so "$folder/"
step plugin-back runuser -u alice -- berthctl daemon reload
step list-back runuser -u alice -- berthctl plugin list -o name
# As berthd(8) says it: a certificate, a secret, the section, the unit.
mkdir -p /etc/berth/hooks.d
(umask 027 && cd /etc/berth/hooks.d && mkdir secrets &&
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null
	echo 0123456789abcdef0123456789abcdef >secrets/hub)
chown -R root:berth-hooks /etc/berth/hooks.d
chmod 0640 /etc/berth/hooks.d/*.pem
set_hooks() { # KEY VALUE
	sed -i "/^hooks:/,/^};/s|#$1 = .*|$1 = \"$2\";|" /etc/berth/berth.conf
}
set_hooks listen 127.0.0.1:8443
set_hooks certificate /etc/berth/hooks.d/cert.pem
set_hooks key /etc/berth/hooks.d/key.pem
set_hooks secrets /etc/berth/hooks.d/secrets
notify() { # SECRET: the answer's first line
	local body='{"events":[]}'
	{
		printf 'POST /hooks/hub HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n' "$1"
		printf 'Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
			${#body} "$body"
	} | timeout 60 openssl s_client -quiet -verify_return_error -CAfile /etc/berth/hooks.d/cert.pem \
		-connect 127.0.0.1:8443 2>/dev/null | head -n 1
}
step hooks-enable systemctl enable --now berth-hooks.service
step hooks-status systemctl show -P StatusText berth-hooks.service
notify 0123456789abcdef0123456789abcdef >/results/hooks-told.out
notify another-secret-of-somebody-else >/results/hooks-refused.out
step hooks-journal journalctl --no-pager -o cat -u berth-hooks.service
step hooks-stop systemctl stop berth-hooks.service
kill_main berthd.service
step after-kill runuser -u alice -- berthctl integration list -o name
kill_main berth-worker.service
until_active berth-worker.service
step probe-after-kill runuser -u alice -- berthctl integration probe hub
echo "no_such_section: { a = 1; };" >>/etc/berth/berth.conf
step bad-reload runuser -u alice -- berthctl daemon reload
step after-bad-reload runuser -u alice -- berthctl integration list -o name
step stop systemctl stop berthd.service berth-worker.service
step results systemctl show -P Result berthd.service berth-worker.service
step journal journalctl --no-pager -o cat -u berthd.service -u berth-worker.service
step bad-start runuser -u alice -- berthctl integration list
step bad-status systemctl show -P ExecMainStatus berthd.service
touch /results/done
