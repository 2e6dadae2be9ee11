# Targets of bake files. Read by running.py.

### hcl
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo x >f
printf 'target "default" {\n dockerfile="Dockerfile"\n tags=["bk:1"]\n labels={a="b"}\n args={X="y"}\n}\n' >docker-bake.hcl; docker buildx bake --progress plain && docker image inspect -f '{{json .Config.Labels}}' bk:1

### json
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo x >f
printf '{"target":{"default":{"output":["type=local,dest=out"]}}}' >docker-bake.json; docker buildx bake --progress plain && look tree out | cut -d' ' -f1

### compose file
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo x >f
printf 'services:\n  web:\n    image: bkweb\n    build:\n      context: .\n      args: {A: b}\n      labels: {l: m}\n' >compose.yaml; docker buildx bake --progress plain && docker image inspect -f '{{json .Config.Labels}}' bkweb; docker buildx bake --print

### matrix
printf 'FROM scratch\nARG V\nLABEL v=$V\nCOPY f /f\n' >Dockerfile; echo x >f
printf 'target "default" {\n name="m-${v}"\n matrix={v=["1","2"]}\n args={V=v}\n tags=["bkm:${v}"]\n}\n' >docker-bake.hcl; docker buildx bake --progress plain && docker image inspect -f '{{json .Config.Labels}}' bkm:1 bkm:2; docker buildx bake --print | python3 -m json.tool --sort-keys

### inherits, groups, functions, variables
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo x >f
printf 'variable "V" { default="v" }\nfunction "up" { params=[x]\n result=upper(x) }\ngroup "default" { targets=["a","b"] }\ntarget "_c" { labels={k=up(V)} }\ntarget "a" { inherits=["_c"]\n tags=["bka"] }\ntarget "b" { inherits=["_c"]\n labels={m="n"}\n tags=["bkb"] }\n' >docker-bake.hcl; V=w docker buildx bake --progress plain && docker image inspect -f '{{json .Config.Labels}}' bka bkb

### set
printf 'FROM scratch AS one\nCOPY f /f\nFROM scratch\nCOPY f /g\n' >Dockerfile; echo x >f
printf 'target "default" {}\n' >docker-bake.hcl; docker buildx bake --progress plain --set default.target=one --set '*.output=type=local,dest=out' && ls out; docker buildx bake --set nosuch.target=x; docker buildx bake --print --set default.nosuch=x

### targets as contexts
printf 'target "default" {\n contexts={base="target:base"}\n dockerfile-inline="FROM base\\nCOPY --from=base /f /g\\n"\n output=["type=local,dest=out"]\n}\ntarget "base" {\n dockerfile-inline="FROM scratch\\nCOPY f /f\\n"\n}\n' >docker-bake.hcl; echo x >f; docker buildx bake --progress plain && look tree out | cut -d' ' -f1

### a target as a context that fails
printf 'target "default" {\n contexts={base="target:base"}\n dockerfile-inline="FROM base\\n"\n}\ntarget "base" {\n dockerfile-inline="FROM busybox\\nRUN exit 3\\n"\n}\n' >docker-bake.hcl; docker buildx bake --progress quiet 2>&1 | grep ERROR

### list
printf 'variable "V" { default="v" }\ntarget "a" { description="the a" }\ngroup "g" { targets=["a"] }\n' >docker-bake.hcl; docker buildx bake --list targets; docker buildx bake --list variables; docker buildx bake --list type=targets,format=json

### no such target
printf 'target "a" {}\n' >docker-bake.hcl; docker buildx bake nosuch; docker buildx bake

### a broken file
printf 'target "a" {\n' >docker-bake.hcl; docker buildx bake a; rm docker-bake.hcl; docker buildx bake

### entitlements of files
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo x >f; mkdir sub
printf 'target "default" {\n context=".."\n dockerfile="nosuch"\n}\n' >sub/docker-bake.hcl; cd sub && docker buildx bake --progress plain </dev/null

### entitlements of the network
printf 'target "default" {\n dockerfile-inline="FROM busybox\\nRUN true\\n"\n network="host"\n}\n' >docker-bake.hcl; docker buildx bake --progress plain </dev/null 2>&1 | grep -v '^#' | head -5; docker buildx bake --progress quiet --allow network.host && echo fine

### metadata
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo x >f
printf 'group "default" { targets=["a","b"] }\ntarget "a" { tags=["bma"] }\ntarget "b" { output=["type=local,dest=out"] }\n' >docker-bake.hcl; docker buildx bake --progress quiet --metadata-file m.json && python3 -c 'import json; m=json.load(open("m.json")); print({k:sorted(v) for k,v in m.items()})'

### secrets and agents
printf 'target "default" {\n dockerfile-inline="FROM busybox\\nRUN --mount=type=secret,id=s cat /run/secrets/s >/s\\n"\n secret=["id=s,src=f", {id="e",env="OUTSIDE"}]\n network="none"\n output=["type=local,dest=out"]\n}\n' >docker-bake.hcl; echo hush >f; docker buildx bake --progress quiet && cat out/s

### all of a target
printf 'FROM busybox AS one\nARG A\nRUN grep there /etc/hosts; ulimit -n; echo $A >/a\nFROM busybox\n' >Df; printf 'target "default" {\n dockerfile="Df"\n target="one"\n args={A="b"}\n annotations=["manifest:k=v"]\n attest=["type=provenance,disabled=true"]\n cache-from=[]\n extra-hosts={there="10.0.0.1"}\n labels={l="m"}\n network="none"\n no-cache=true\n pull=false\n shm-size="64m"\n ulimits=["nofile=33:33"]\n tags=["ball:1","ball:2"]\n platforms=["linux/amd64"]\n}\n' >docker-bake.hcl; docker buildx bake --progress plain && docker images --format '{{.Tag}}' ball | sort

### call and check
printf 'from busybox AS x\nENV a b\n' >Dockerfile; printf 'target "default" {}\ntarget "other" { call="outline" }\n' >docker-bake.hcl; docker buildx bake --check 2>&1 | grep -E 'WARNING|Check'; docker buildx bake other; docker buildx bake --call targets

### from standard input
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo x >f; printf 'target "default" { output=["type=local,dest=out"] }\n' | docker buildx bake --progress quiet -f - && ls out
