# Outputs of a build: every type with its options, metadata, annotations and names. Read by running.py.

### local
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=local,dest=out . && look tree out

### local, the short way
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o out . && look tree out

### local, of an image with a command
printf 'FROM busybox\nRUN mkdir /d && echo x >/d/x && touch -d @1000000000 /d/old\nCMD ["x"]\nLABEL l=m\n' >Dockerfile
b -o out . && ls out && look tree out/d

### local to a folder that is there
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
mkdir -p out/f out/other; echo 1 >out/other/x; b -o out . ; look tree out

### local without a place
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=local .

### local to standard output
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=local,dest=- .

### local onto a file
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
touch out; b -o type=local,dest=out .

### local of two platforms
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --platform linux/amd64,linux/arm64 -o out . && look tree out

### local with platform-split
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=local,dest=out,platform-split=true . && look tree out

### local without platform-split
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --platform linux/amd64,linux/arm64 -o type=local,dest=out,platform-split=false . ; look tree out

### local with an epoch
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --build-arg SOURCE_DATE_EPOCH=1234567890 -o out . && look tree out

### local with an unknown option
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=local,dest=out,nosuch=1 . && look tree out

### local with provenance
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance mode=max -o out . >/dev/null; look tree out

### tar
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=tar,dest=out.tar . && look tar out.tar

### tar, the short way
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o - . >out.tar && look tar out.tar

### tar without a place
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=tar . >out.tar && look tar out.tar

### tar into a folder that is not there
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=tar,dest=no/such/out.tar . ; find no

### tar onto a folder
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
mkdir out; b -o type=tar,dest=out .

### tar of two platforms
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --platform linux/amd64,linux/arm64 -o type=tar,dest=out.tar . && look tar out.tar

### tar with platform-split
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=tar,dest=out.tar,platform-split=1 . && look tar out.tar

### oci
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar . && look layout out.tar

### oci with a name
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -t some/name:1 -o type=oci,dest=out.tar . && look layout out.tar

### oci with its own name
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar,name=own:2 . && look layout out.tar

### oci with two names
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -t a:1 -t b:2 -o type=oci,dest=out.tar . && look layout out.tar

### oci as a folder
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -t a:1 -o type=oci,dest=out,tar=false . && look layout out && find out -not -path '*/blobs/*' | sort

### oci as a folder twice
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -t a:1 -o type=oci,dest=out,tar=false . && b --provenance false --label x=y -t a:2 -o type=oci,dest=out,tar=false . && look layout out

### oci with provenance
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=oci,dest=out.tar . && look layout out.tar

### oci of two platforms
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --provenance false --platform linux/amd64,linux/arm64 -o type=oci,dest=out.tar . && look layout out.tar

### oci without a place
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci . >out.tar && look layout out.tar

### oci without its media types
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar,oci-mediatypes=false . && look layout out.tar

### oci, uncompressed
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar,compression=uncompressed . && look layout out.tar

### oci with zstd
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar,compression=zstd,force-compression=true . && look layout out.tar

### oci with a level
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar,compression=gzip,compression-level=9 . && look layout out.tar

### oci with estargz
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar,compression=estargz . && look layout out.tar | grep -v stargz

### oci with a compression of no kind
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=oci,dest=out.tar,compression=nosuch .

### oci with a level that is none
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=oci,dest=out.tar,compression=gzip,compression-level=x .

### oci with annotations
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --annotation a=b --annotation manifest:c=d -o type=oci,dest=out.tar . && look layout out.tar

### oci with annotations of the index
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --annotation index:a=b --annotation index,manifest:c=d -o type=oci,dest=out.tar . && look layout out.tar

### oci with annotations of descriptors
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --annotation manifest-descriptor:a=b --annotation index-descriptor:c=d --annotation 'manifest[linux/amd64]:e=f' -o type=oci,dest=out.tar . && look layout out.tar

### annotations of the index of one image
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --annotation index:a=b -o type=oci,dest=out.tar .

### annotations of another platform
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --annotation 'manifest[linux/arm64]:a=b' -o type=oci,dest=out.tar . && look layout out.tar

### annotations of no kind
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --annotation nosuch:a=b -o type=oci,dest=out.tar .

### annotations without a value
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --annotation a -o type=oci,dest=out.tar .

### annotations as options
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar,annotation.a=b,annotation-manifest.c=d,annotation-manifest-descriptor.e=f . && look layout out.tar

### annotations of an image of the store
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --annotation a=b -t annotated . && docker image inspect -f '{{json .Config.Labels}}' annotated

### oci with rewritten times
printf 'FROM busybox\nRUN mkdir /d && echo x >/d/x && touch -d @1000000000 /d/old\nCMD ["x"]\nLABEL l=m\n' >Dockerfile
b --provenance false --build-arg SOURCE_DATE_EPOCH=1000000001 -o type=oci,dest=out.tar,rewrite-timestamp=true . && look layout out.tar

### oci with rewritten times of a folder
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --build-arg SOURCE_DATE_EPOCH=900000000 -o type=oci,dest=out.tar,rewrite-timestamp=true . && look layout out.tar

### oci with an epoch alone
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --build-arg SOURCE_DATE_EPOCH=900000000 -o type=oci,dest=out.tar . && look layout out.tar

### an epoch that is none
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --build-arg SOURCE_DATE_EPOCH=abc -o type=oci,dest=out.tar .

### rewritten times without an epoch
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=out.tar,rewrite-timestamp=true . && look layout out.tar

### docker
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t saved:1 -o type=docker,dest=out.tar . && look layout out.tar

### docker without a name
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=docker,dest=out.tar . && look layout out.tar

### docker without a place
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -t loaded:1 -o type=docker . && docker image inspect -f '{{.RepoTags}} {{len .RootFS.Layers}}' loaded:1

### docker of two platforms
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --platform linux/amd64,linux/arm64 -o type=docker,dest=out.tar .

### docker as a folder
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t saved:2 -o type=docker,dest=out,tar=false . && look layout out

### docker with media types of OCI
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t saved:1 -o type=docker,dest=out.tar,oci-mediatypes=true . && look layout out.tar

### docker with zstd
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t saved:1 -o type=docker,dest=out.tar,compression=zstd . && look layout out.tar

### a context of docker
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t there:1 -o type=docker,context=nosuch .

### image
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image,name=made:1 . && docker image inspect -f '{{.RepoTags}}' made:1

### image with two names
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image,\"name=two:1,two:2\" . && docker images --format '{{.Repository}}:{{.Tag}}' two

### image with a wrong name
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=image,name=Wrong:1 .

### a wrong tag
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t Wrong:1 .

### a tag with a digest
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t some@sha256:$(printf %064d 0) .

### image without a name
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image . 

### image of the store, not unpacked
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image,name=made:2,unpack=false . && docker image inspect -f '{{.RepoTags}}' made:2

### image that is not stored
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image,name=made:3,store=false . ; docker image inspect -f '{{.RepoTags}}' made:3

### image with dangling names
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image,dangling-name-prefix=dang . 

### image with canonical names
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image,name=canon:1,name-canonical=true . && docker images --format '{{.Repository}}:{{.Tag}}' canon

### image, pushed
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image,name=$REGISTRY/pushed:1,push=true . && docker buildx imagetools inspect --raw $REGISTRY/pushed:1 | sed 's/: *[0-9]*$//' >m.json; cat m.json

### push
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --push -t $REGISTRY/pushed:2 . && docker buildx imagetools inspect $REGISTRY/pushed:2; docker images --format '{{.Repository}}:{{.Tag}}' $REGISTRY/pushed:2

### push of two names
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --push -t $REGISTRY/pushed:3 -t $REGISTRY/pushed:4 . && docker buildx imagetools inspect --format '{{.Name}}' $REGISTRY/pushed:4

### push without a name
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --push .

### push to no registry
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --push -t 127.0.0.1:1/pushed:1 .

### push by digest
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=image,name=$REGISTRY/bydigest,push-by-digest=true,name-canonical=true,push=true --metadata-file m.json . && look json m.json

### registry
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=registry,name=$REGISTRY/pushed:5 . && docker buildx imagetools inspect --format '{{.Name}}' $REGISTRY/pushed:5

### registry with zstd
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=registry,name=$REGISTRY/pushed:6,compression=zstd,oci-mediatypes=true . && docker buildx imagetools inspect --raw $REGISTRY/pushed:6 | grep -c zstd

### push of two platforms
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --platform linux/amd64,linux/arm64 --push -t $REGISTRY/platforms:1 . && docker buildx imagetools inspect $REGISTRY/platforms:1

### push with provenance
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance true --push -t $REGISTRY/attested:1 . && docker buildx imagetools inspect $REGISTRY/attested:1

### push and load
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --push --load -t $REGISTRY/pushed:7 . && docker images --format '{{.Tag}}' $REGISTRY/pushed:7

### load
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --load -t loaded:2 . && docker images --format '{{.Tag}}' loaded:2

### load of two platforms
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --platform linux/amd64,linux/arm64 --load -t loaded:3 .

### two platforms in the store
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --platform linux/amd64,linux/arm64 -t loaded:4 .

### cacheonly
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=cacheonly . && docker images -q cacheonly

### several outputs
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -t many:1 -o type=image -o type=local,dest=out -o type=tar,dest=out.tar -o type=oci,dest=oci.tar . && look tree out && look tar out.tar && docker images --format '{{.Tag}}' many

### an output of no kind
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o type=nosuch .

### an output without a type
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o dest=x .

### an output that is no list
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o 'type=local,dest' .

### an output with a quote
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o '"type=local' .

### an empty output
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o '' .

### metadata
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t meta:1 --metadata-file m.json . && look json m.json

### metadata with a digest
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t meta:1 --metadata-file m.json --iidfile id . && python3 -c 'import json;m=json.load(open("m.json"));print(m["containerimage.config.digest"]==open("id").read(), m["containerimage.digest"]==open("id").read())'

### metadata of oci
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -t meta:2 -o type=oci,dest=o.tar --metadata-file m.json . && look json m.json

### metadata of local
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o out --metadata-file m.json . && look json m.json

### metadata without provenance
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
BUILDX_METADATA_PROVENANCE=disabled b --metadata-file m.json . && look json m.json

### metadata with warnings
printf 'from busybox AS A\nENV a b\n' >Dockerfile
BUILDX_METADATA_WARNINGS=1 b --metadata-file m.json . && look json m.json

### metadata of two platforms
printf 'FROM scratch\nARG TARGETARCH\nCOPY <<E /arch\n$TARGETARCH\nE\n' >Dockerfile
b --platform linux/amd64,linux/arm64 -o type=oci,dest=o.tar --metadata-file m.json . && look json m.json

### metadata of a push
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false --push -t $REGISTRY/meta:1 --metadata-file m.json . && look json m.json

### an id file
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --iidfile id . && cat id && [ "$(docker image inspect -f '{{.Id}}' $(cat id))" = $(cat id) ]

### an id file of a local output
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -o out --iidfile id . ; cat id

### an id file of oci
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -o type=oci,dest=x.tar --iidfile id . ; cat id

### an id file of a failed build
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
echo old >id; printf 'FROM busybox\nRUN false\n' >Dockerfile; b --iidfile id . 2>/dev/null; echo $?; cat id

### an id file in a folder that is not there
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --iidfile no/such/id .

### quietly
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -q . && b -q -t quiet:1 .

### quietly to a folder
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b -q -o out .

### quietly, a failure
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
printf 'FROM busybox\nRUN echo out; false\n' >Dockerfile; b -q .

### provenance of an image
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance mode=max -t prov:1 . && docker image inspect -f '{{.RepoTags}}' prov:1

### provenance in an image of oci
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance mode=max -o type=oci,dest=o.tar . && look layout o.tar | cut -c -400

### provenance version 1
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance mode=max,version=v1 -o type=oci,dest=o.tar . && look layout o.tar | cut -c -400

### provenance of a builder
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance builder-id=me -o type=oci,dest=o.tar . && look layout o.tar

### provenance of a mode that is none
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance mode=nosuch .

### provenance of a version that is none
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance version=v9 -o type=oci,dest=o.tar .

### attest
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --attest type=provenance,mode=min -o type=oci,dest=o.tar . && look layout o.tar | wc -l

### attest nothing known
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --attest type=nosuch -o type=oci,dest=o.tar .

### attest twice
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --attest type=provenance --provenance true -o type=oci,dest=o.tar .

### sbom false
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --sbom false --provenance false -o type=oci,dest=o.tar . && look layout o.tar | wc -l

### provenance false of an image
printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo content >f; touch -d @1000000000 f
b --provenance false -t prov:2 .
