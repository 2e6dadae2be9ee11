# Builders, the cache and the history of builds, images of registries. Read by running.py.

### ls
docker buildx ls --format '{{.Name}} {{.Status}} {{.DriverEndpoint}}' | sed 's/SOCKET//' | sort

### inspect
docker buildx inspect --bootstrap | grep -v -E 'Labels|BuildKit version|Platforms|Endpoint|Last Activity|worker|GC|Policy|Size|Filters|Duration|Reserved|Free|All:|Keep|^$'

### inspect: the host's gateway
docker buildx inspect | grep -c host-gateway-ip

### inspect of no builder
docker buildx inspect nosuch

### use
docker buildx use default && docker buildx use nosuch

### create, rm
docker buildx create --name mine --driver docker; docker buildx create --name other --driver remote unix:///nosuch/socket && docker buildx ls --format '{{.Name}} {{.Status}}' | grep other; docker buildx rm other; docker buildx rm nosuch

### stop
docker buildx stop; docker buildx rm default

### version
docker buildx version | wc -l; docker builder version 2>&1 | wc -l

### du
docker buildx prune -af >/dev/null; docker buildx du; printf 'FROM busybox\nRUN echo du >/du\n' >Dockerfile; b . 2>/dev/null; docker buildx du | grep -c exec; docker buildx du --verbose | grep -E '^(Type|Mutable|Reclaimable|Shared)' | sort | uniq -c; docker buildx du --filter type=regular | tail -4 | grep -v -E 'Reclaim|Total|Shared|Private' | wc -l; docker buildx du --format json | head -c 1

### prune
docker buildx prune -f --filter unused-for=24h | tail -1; docker buildx prune -f --filter until=1ns | tail -1 | cut -c 1-5; docker buildx prune -f --keep-storage 1GB; docker buildx prune -f --max-used-space 1GB --min-free-space 1B --reserved-space 1B; docker buildx prune -f --filter nosuch=x

### builder prune
docker builder prune -af | tail -1 | cut -c 1-5; docker builder prune -f; docker system df --format '{{.Type}}'

### dial-stdio
docker buildx dial-stdio </dev/null; echo $?

### history: ls
docker buildx history rm --all >/dev/null 2>&1; printf 'FROM busybox\nRUN echo hist >/h\n' >Dockerfile; b -t h:1 . 2>/dev/null; printf 'FROM busybox\nRUN false\n' >Fails; b -f Fails . 2>/dev/null; docker buildx history ls --format '{{.Name}} {{.Status}}'; docker buildx history ls --filter status=error --format '{{.Name}} {{.Status}}'; docker buildx history ls --no-trunc --format json | wc -l

### history: logs
printf 'FROM busybox\nRUN echo logged output\n' >Dockerfile; b --no-cache . 2>/dev/null; docker buildx history logs --progress plain 2>&1 | grep -v -E 'sha256|ms|[0-9]s|transferring' | sed 's/^#[0-9]* //' | sort; docker buildx history logs --progress rawjson 2>&1 | grep -c vertexes | sed 's/[0-9]*/N/'

### history: logs of nothing
docker buildx history logs nosuchref

### history: inspect
printf 'FROM busybox\nARG A\nLABEL l=m\nRUN echo $A\n' >Dockerfile; b --no-cache --build-arg A=b --label x=y --target '' -t h:2 . 2>/dev/null; docker buildx history inspect | grep -v -E 'Started|Duration|Ref|Local|Context:|^$|REV|Digest|sha256'

### history: inspect as JSON
printf 'FROM busybox\nRUN echo json\n' >Dockerfile; b --no-cache --build-arg A=b -t h:3 . 2>/dev/null; docker buildx history inspect --format json | python3 -c 'import json,sys
d=json.load(sys.stdin)
print(sorted(d)); print(d.get("Status"), d.get("NumTotalSteps"), d.get("NumCompletedSteps"), d.get("BuildArgs"), d.get("Materials"), [a.get("Type") for a in d.get("Attachments") or []], d.get("Dockerfile"), d.get("Target"), d.get("Platform"))'

### history: inspect of a failure
printf 'FROM busybox\nRUN echo out; exit 5\n' >Dockerfile; b --no-cache . 2>/dev/null; docker buildx history inspect | grep -v -E 'Started|Duration|Ref|Local|Context:|^$|Digest|sha256'

### history: inspect of nothing
docker buildx history inspect nosuchref

### history: an attachment
printf 'FROM busybox\nRUN echo attached\n' >Dockerfile; b --no-cache -t h:4 . 2>/dev/null; docker buildx history inspect attachment --type https://slsa.dev/provenance/v0.2 | python3 -c 'import json,sys
d=json.load(sys.stdin); print(sorted(d), d.get("buildType"), sorted(d.get("invocation",{})))'; docker buildx history inspect attachment --type provenance | python3 -c 'import json,sys; print(sorted(json.load(sys.stdin)))'; docker buildx history inspect attachment sha256:0000

### history: rm
printf 'FROM busybox\nRUN echo rm\n' >Dockerfile; b --no-cache . 2>/dev/null; docker buildx history rm $(docker buildx history ls --format '{{.Ref}}' | head -1 | sed 's/.*[/]//') >/dev/null && echo removed; docker buildx history rm nosuchref; docker buildx history rm --all >/dev/null; docker buildx history ls --format '{{.Name}}'

### history: export, import
printf 'FROM busybox\nRUN echo exported\n' >Dockerfile; b --no-cache -t h:5 . 2>/dev/null; docker buildx history export -o out.dockerbuild; [ -s out.dockerbuild ] && tar tzf out.dockerbuild 2>/dev/null | grep -v blobs; python3 - <<'E'
import tarfile,json
try:
    t=tarfile.open('out.dockerbuild')
    i=json.load(t.extractfile('index.json')); print(sorted(i), len(i['manifests']))
    m=json.load(t.extractfile('blobs/'+i['manifests'][0]['digest'].replace(':','/'))); print([l['mediaType'] for l in m['layers']])
except Exception as e: print(type(e).__name__)
E

### history: trace
printf 'FROM busybox\nRUN echo traced\n' >Dockerfile; b --no-cache . 2>/dev/null; docker buildx history trace --addr 127.0.0.1:0 nosuch

### imagetools: inspect
printf 'FROM scratch\nCOPY f /\n' >Dockerfile; echo i >f; b --provenance false --push -t $REGISTRY/it:1 . 2>/dev/null; docker buildx imagetools inspect $REGISTRY/it:1 --format '{{json .Manifest.Platform}} {{len .Image.RootFS.DiffIDs}} {{.Image.OS}}'; docker buildx imagetools inspect $REGISTRY/it:nosuch; docker buildx imagetools inspect $REGISTRY/it:1 --raw | head -c 1

### imagetools: create
printf 'FROM scratch\nCOPY f /\n' >Dockerfile; echo i >f; b --provenance false --push -t $REGISTRY/it:2 . 2>/dev/null; docker buildx imagetools create -t $REGISTRY/it:3 --annotation index:a=b $REGISTRY/it:2 2>&1 | grep -v '^#'; docker buildx imagetools inspect $REGISTRY/it:3 --format '{{.Manifest.MediaType}} {{len .Manifest.Manifests}}'; docker buildx imagetools create --dry-run $REGISTRY/it:2 | head -3 | cut -c 1-20

### a build by a remote builder
printf 'FROM scratch\nCOPY f /\n' >Dockerfile; echo i >f; docker buildx build --builder default -q -t by:1 . ; docker buildx build --builder nosuch .

### two builds of one name at once
printf 'FROM busybox\nRUN sleep 1; echo x >/x\n' >Dockerfile; (b -t twice:1 . 2>/dev/null; echo a $?) & (b -t twice:1 . 2>/dev/null; echo a $?) & wait

### an interrupted build
printf 'FROM busybox\nRUN sleep 30\n' >Dockerfile; timeout -s INT 3 docker buildx build --network none --progress plain . 2>&1 | grep -E 'CANCELED|ERROR'; docker buildx history ls --format '{{.Status}}' | head -1
