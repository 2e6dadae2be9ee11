# Builds of compose files. Read by running.py.

### build
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo x >f; printf 'name: cb\nservices:\n  a: {build: .}\n  b: {build: {context: ., tags: ["cbb:1","cbb:2"], labels: {k: v}}, image: cbb}\n' >compose.yaml; docker compose --progress plain build 2>&1 | grep -v -E '^#|^$'; docker images --format '{{.Repository}}:{{.Tag}}' | grep ^cb | sort; docker image inspect -f '{{json .Config.Labels}}' cbb

### build of everything
printf 'FROM busybox AS one\nARG A\nRUN grep there /etc/hosts; df -k /dev/shm | grep -c 65536; ulimit -n; echo $A\nRUN --mount=type=secret,id=s cat /run/secrets/s >/s\nCOPY --from=more m /m\nFROM busybox\n' >Df; echo hush >sec; mkdir more; echo 1 >more/m; printf 'name: ce\nservices:\n  a:\n    image: cea\n    build:\n      context: .\n      dockerfile: Df\n      target: one\n      args: {A: b}\n      network: none\n      shm_size: 64m\n      ulimits: {nofile: 44}\n      extra_hosts: {there: 10.0.0.1}\n      additional_contexts: {more: ./more}\n      secrets: [s]\n      no_cache: true\n      provenance: false\n      sbom: false\n      cache_from: []\nsecrets: {s: {file: sec}}\n' >compose.yaml; docker compose --progress plain build && docker run --rm --network none cea cat /s /m

### build, inline, quietly, with arguments
printf 'name: ci\nservices:\n  a: {build: {context: ., dockerfile_inline: "FROM scratch\\nARG Z\\nLABEL z=$$Z\\nCOPY f /\\n"}}\n' >compose.yaml; echo x >f; docker compose build -q --build-arg Z=zed; docker image inspect -f '{{json .Config.Labels}}' ci-a | tr , '\n' | grep z; docker compose build --print | python3 -m json.tool --sort-keys | grep -v -E 'context|com.docker'; docker compose build nosuch

### build of one that needs another
printf 'name: cd\nservices:\n  base: {build: {context: ., dockerfile_inline: "FROM scratch\\nCOPY f /f\\n"}}\n  top: {build: {context: ., additional_contexts: {base: "service:base"}, dockerfile_inline: "FROM base\\nCOPY f /g\\n"}}\n' >compose.yaml; echo x >f; docker compose --progress plain build top >/dev/null 2>&1; docker image inspect -f '{{len .RootFS.Layers}}' cd-top

### build that fails
printf 'name: cf\nservices:\n  a: {build: {context: ., network: none, dockerfile_inline: "FROM busybox\\nRUN echo out; exit 4\\n"}}\n' >compose.yaml; docker compose --progress plain build 2>&1 | grep -v '^#'; docker compose --progress quiet up -d 2>&1 | tail -1

### build with privilege
printf 'name: cp\nservices:\n  a: {build: {context: ., privileged: true, dockerfile_inline: "FROM busybox\\nRUN true\\n"}}\n' >compose.yaml; docker compose --progress plain build 2>&1 | grep -v '^#' | tail -2

### build with entitlements
printf 'name: cn\nservices:\n  a: {build: {context: ., entitlements: [network.host], network: host, dockerfile_inline: "FROM busybox\\nRUN ls /sys/class/net >/n\\n"}}\n' >compose.yaml; docker compose --progress quiet build && echo fine

### build for a platform
printf 'name: cq\nservices:\n  a: {platform: linux/arm64, build: {context: ., dockerfile_inline: "FROM scratch\\nCOPY f /\\n"}}\n' >compose.yaml; echo x >f; docker compose --progress quiet build && docker image inspect -f '{{.Architecture}}' cq-a

### up --build
printf 'name: cu\nservices:\n  a: {network_mode: none, build: {context: ., network: none, dockerfile_inline: "FROM busybox\\nCOPY f /f\\nCMD cat /f\\n"}}\n' >compose.yaml; echo one >f; docker compose --progress quiet up --no-log-prefix; echo two >f; docker compose --progress quiet up --no-log-prefix; docker compose --progress quiet up --build --no-log-prefix; docker compose --progress quiet down -t 0 --rmi local; docker images -q cu-a

### push and pull
printf 'name: cr\nservices:\n  a: {image: "%s/cr:1", build: {context: ., dockerfile_inline: "FROM scratch\\nCOPY f /\\n"}}\n' $REGISTRY >compose.yaml; echo x >f; docker compose --progress quiet build --push; docker compose --progress quiet push; docker rmi -f $REGISTRY/cr:1 >/dev/null; docker compose --progress quiet pull --ignore-buildable; docker images -q $REGISTRY/cr; docker compose --progress quiet pull; docker images --format '{{.Tag}}' $REGISTRY/cr

### check
printf 'name: ck\nservices:\n  a: {build: {context: ., dockerfile_inline: "from busybox AS x\\nENV a b\\n"}}\n' >compose.yaml; docker compose build --check 2>&1 | grep -E 'WARNING|Check'

### config
printf 'name: cc\nservices:\n  a: {build: .}\n' >compose.yaml; touch Dockerfile; docker compose config | grep -v context; docker compose config --images
