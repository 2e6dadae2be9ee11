# Questions about a Dockerfile (``--call``, ``--check``), and Dockerfiles that are wrong. Read by running.py.

### outline of a Dockerfile, good
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call outline .; b --call outline,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### outline of a Dockerfile, bad
printf 'from busybox AS Base\nENV a b\nARG pw_token=1\nMAINTAINER me\nCMD echo hi\nWORKDIR rel\nCOPY nosuch$X /\nFROM Base as two\nEXPOSE 80/TCP\nENTRYPOINT x\nENTRYPOINT y\nLABEL $q=x\n' >Dockerfile
b --call outline .; b --call outline,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### outline of a Dockerfile, broken
printf 'FROM busybox\nNOSUCH x\n' >Dockerfile
b --call outline .; b --call outline,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### outline of a Dockerfile, empty
touch Dockerfile
b --call outline .; b --call outline,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### targets of a Dockerfile, good
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call targets .; b --call targets,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### targets of a Dockerfile, bad
printf 'from busybox AS Base\nENV a b\nARG pw_token=1\nMAINTAINER me\nCMD echo hi\nWORKDIR rel\nCOPY nosuch$X /\nFROM Base as two\nEXPOSE 80/TCP\nENTRYPOINT x\nENTRYPOINT y\nLABEL $q=x\n' >Dockerfile
b --call targets .; b --call targets,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### targets of a Dockerfile, broken
printf 'FROM busybox\nNOSUCH x\n' >Dockerfile
b --call targets .; b --call targets,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### targets of a Dockerfile, empty
touch Dockerfile
b --call targets .; b --call targets,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### check of a Dockerfile, good
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call check .; b --call check,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### check of a Dockerfile, bad
printf 'from busybox AS Base\nENV a b\nARG pw_token=1\nMAINTAINER me\nCMD echo hi\nWORKDIR rel\nCOPY nosuch$X /\nFROM Base as two\nEXPOSE 80/TCP\nENTRYPOINT x\nENTRYPOINT y\nLABEL $q=x\n' >Dockerfile
b --call check .; b --call check,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### check of a Dockerfile, broken
printf 'FROM busybox\nNOSUCH x\n' >Dockerfile
b --call check .; b --call check,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### check of a Dockerfile, empty
touch Dockerfile
b --call check .; b --call check,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### lint of a Dockerfile, good
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call lint .; b --call lint,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### lint of a Dockerfile, bad
printf 'from busybox AS Base\nENV a b\nARG pw_token=1\nMAINTAINER me\nCMD echo hi\nWORKDIR rel\nCOPY nosuch$X /\nFROM Base as two\nEXPOSE 80/TCP\nENTRYPOINT x\nENTRYPOINT y\nLABEL $q=x\n' >Dockerfile
b --call lint .; b --call lint,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### lint of a Dockerfile, broken
printf 'FROM busybox\nNOSUCH x\n' >Dockerfile
b --call lint .; b --call lint,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### lint of a Dockerfile, empty
touch Dockerfile
b --call lint .; b --call lint,format=json . | python3 -m json.tool --sort-keys | grep -v '"data"'

### check
printf 'from busybox AS Base\nENV a b\nARG pw_token=1\nMAINTAINER me\nCMD echo hi\nWORKDIR rel\nCOPY nosuch$X /\nFROM Base as two\nEXPOSE 80/TCP\nENTRYPOINT x\nENTRYPOINT y\nLABEL $q=x\n' >Dockerfile
b --check .

### check, good
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --check .

### check of a target
printf 'from busybox AS Base\nENV a b\nARG pw_token=1\nMAINTAINER me\nCMD echo hi\nWORKDIR rel\nCOPY nosuch$X /\nFROM Base as two\nEXPOSE 80/TCP\nENTRYPOINT x\nENTRYPOINT y\nLABEL $q=x\n' >Dockerfile
b --check --target two .

### outline of a target
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call outline --target app . ; b --call outline --target app --build-arg MODE=slow --build-arg WHO=me .

### outline of a target that is not there
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call outline --target nosuch .

### targets of a named context
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call targets --build-context base=docker-image://busybox .

### a call of no kind
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call nosuch .

### a call to build
printf 'FROM scratch\n' >Dockerfile; b --call build -o out . && ls out

### a call for describe
cat >Dockerfile <<'E'
# syntax of no kind
# the version
ARG VERSION=1

# base is the base
FROM busybox AS base
# who builds
ARG WHO
RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=opt,env=OPT --mount=type=ssh true

# app is the app
FROM base AS app
ARG MODE=fast
ARG TARGETARCH
RUN --mount=type=ssh,id=other,required=true echo $MODE $VERSION

FROM scratch
COPY --from=app /x /
E
b --call subrequests.describe . ; b --call subrequests.describe,format=json . | python3 -m json.tool

### a call with an error directive
printf '# check=error=true\nfrom busybox AS x\nENV a b\n' >Dockerfile; b --call check . ; echo $?; b --call lint,ignorestatus=true . ; echo $?

### a check that is skipped
printf '# check=skip=LegacyKeyValueFormat,FromAsCasing\nfrom busybox AS x\nENV a b\n' >Dockerfile; b --check .

### all checks skipped
printf '# check=skip=all\nfrom busybox AS x\nENV a b\n' >Dockerfile; b --check .

### an argument of the checks
printf 'from busybox AS x\nENV a b\n' >Dockerfile; b --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=LegacyKeyValueFormat --check .

### experimental checks
printf '# check=experimental=all\nFROM busybox\nCOPY f /\n' >Dockerfile; touch f; echo f >.dockerignore; b --check .

### a check of no kind
printf '# check=nosuch=all\nFROM busybox\n' >Dockerfile; b --check .

### a check on standard input
printf 'from busybox AS x\nENV a b\n' | b --check -

### a check with debug
printf 'from busybox AS Base\nENV a b\nARG pw_token=1\nMAINTAINER me\nCMD echo hi\nWORKDIR rel\nCOPY nosuch$X /\nFROM Base as two\nEXPOSE 80/TCP\nENTRYPOINT x\nENTRYPOINT y\nLABEL $q=x\n' >Dockerfile
docker --debug buildx build --check .

### warnings of a build
printf 'from busybox AS x\nENV a b\nRUN true\n' >Dockerfile; b -o out .

### wrong: COPY --chown of an unknown name
cat >Dockerfile <<'END'
FROM busybox
COPY --chown=nosuch:nosuch f /f
RUN stat -c '%u %g' /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --chown of an unknown group
cat >Dockerfile <<'END'
FROM busybox
COPY --chown=1:nosuch f /f
RUN stat -c '%u %g' /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --chown of scratch
cat >Dockerfile <<'END'
FROM scratch
COPY --chown=nosuch f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --chown=:5
cat >Dockerfile <<'END'
FROM busybox
COPY --chown=:5 f /f
RUN stat -c '%u %g' /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --chown of a variable
cat >Dockerfile <<'END'
FROM busybox
ARG U=7
COPY --chown=$U:$U f /f
RUN stat -c '%u %g' /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --chown, empty
cat >Dockerfile <<'END'
FROM busybox
COPY --chown= f /f
RUN stat -c '%u %g' /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --chmod, wrong
cat >Dockerfile <<'END'
FROM busybox
COPY --chmod=nosuch f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --chmod, symbolic
cat >Dockerfile <<'END'
FROM busybox
COPY --chmod=u+x,go-r f /f
RUN stat -c '%a' /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --chmod, too large
cat >Dockerfile <<'END'
FROM busybox
COPY --chmod=77777 f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --parents
cat >Dockerfile <<'END'
FROM busybox
COPY --parents f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --exclude
cat >Dockerfile <<'END'
FROM busybox
COPY --exclude=f . /x/
RUN ls /x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ADD --parents
cat >Dockerfile <<'END'
FROM busybox
ADD --parents f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ADD --keep-git-dir of a file
cat >Dockerfile <<'END'
FROM busybox
ADD --keep-git-dir=true f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --link with a word
cat >Dockerfile <<'END'
FROM busybox
COPY --link=maybe f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --from of no stage
cat >Dockerfile <<'END'
FROM busybox
COPY --from=5 f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --from of itself
cat >Dockerfile <<'END'
FROM busybox AS a
COPY --from=a f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --from of a later stage
cat >Dockerfile <<'END'
FROM busybox AS a
COPY --from=b /x /f
FROM busybox AS b
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY --from, empty
cat >Dockerfile <<'END'
FROM busybox AS a
COPY --from= f /f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY of one word
cat >Dockerfile <<'END'
FROM busybox
COPY f
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY of many to a file
cat >Dockerfile <<'END'
FROM busybox
COPY f Dockerfile /x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY of a pattern of nothing
cat >Dockerfile <<'END'
FROM busybox
COPY *.nosuch /x/
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY of a wrong pattern
cat >Dockerfile <<'END'
FROM busybox
COPY [a /x/
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY onto a folder
cat >Dockerfile <<'END'
FROM busybox
COPY f /bin
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: COPY below a file
cat >Dockerfile <<'END'
FROM busybox
COPY f /x
COPY f /x/y
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ONBUILD of an unknown instruction
cat >Dockerfile <<'END'
FROM busybox
ONBUILD NOSUCH x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ONBUILD ONBUILD
cat >Dockerfile <<'END'
FROM busybox
ONBUILD ONBUILD RUN x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ONBUILD FROM
cat >Dockerfile <<'END'
FROM busybox
ONBUILD FROM x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ONBUILD MAINTAINER
cat >Dockerfile <<'END'
FROM busybox
ONBUILD MAINTAINER x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ONBUILD alone
cat >Dockerfile <<'END'
FROM busybox
ONBUILD
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ONBUILD of a COPY --from
cat >Dockerfile <<'END'
FROM busybox
ONBUILD COPY --from=x a b
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: STOPSIGNAL 0
cat >Dockerfile <<'END'
FROM busybox
STOPSIGNAL 0
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: STOPSIGNAL 999
cat >Dockerfile <<'END'
FROM busybox
STOPSIGNAL 999
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: STOPSIGNAL RTMIN+3
cat >Dockerfile <<'END'
FROM busybox
STOPSIGNAL RTMIN+3
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: STOPSIGNAL sigterm
cat >Dockerfile <<'END'
FROM busybox
STOPSIGNAL sigterm
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: STOPSIGNAL of a variable
cat >Dockerfile <<'END'
FROM busybox
ARG S=nosuch
STOPSIGNAL $S
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: STOPSIGNAL of two words
cat >Dockerfile <<'END'
FROM busybox
STOPSIGNAL 9 9
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: EXPOSE of a variable
cat >Dockerfile <<'END'
FROM busybox
ARG P=80
EXPOSE $P ${P}/udp 1-3
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: EXPOSE of a wrong variable
cat >Dockerfile <<'END'
FROM busybox
ARG P=x
RUN true
EXPOSE $P
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: EXPOSE of a protocol that is none
cat >Dockerfile <<'END'
FROM busybox
EXPOSE 80/nosuch
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: EXPOSE 80/TCP
cat >Dockerfile <<'END'
FROM busybox
EXPOSE 80/TCP
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: EXPOSE with a host's port
cat >Dockerfile <<'END'
FROM busybox
EXPOSE 80:80
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: EXPOSE of an address
cat >Dockerfile <<'END'
FROM busybox
EXPOSE 127.0.0.1:80:80
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: EXPOSE alone
cat >Dockerfile <<'END'
FROM busybox
EXPOSE
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: EXPOSE of a wrong range
cat >Dockerfile <<'END'
FROM busybox
EXPOSE 5-3
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: HEALTHCHECK of no kind
cat >Dockerfile <<'END'
FROM busybox
HEALTHCHECK nosuch
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: HEALTHCHECK NONE with words
cat >Dockerfile <<'END'
FROM busybox
HEALTHCHECK NONE x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: HEALTHCHECK CMD alone
cat >Dockerfile <<'END'
FROM busybox
HEALTHCHECK CMD
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: HEALTHCHECK with a short interval
cat >Dockerfile <<'END'
FROM busybox
HEALTHCHECK --interval=1us CMD x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: HEALTHCHECK with an interval that is none
cat >Dockerfile <<'END'
FROM busybox
HEALTHCHECK --interval=x CMD x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: HEALTHCHECK with retries below 0
cat >Dockerfile <<'END'
FROM busybox
HEALTHCHECK --retries=-1 CMD x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: HEALTHCHECK with retries 0
cat >Dockerfile <<'END'
FROM busybox
HEALTHCHECK --retries=0 --start-period=0s --start-interval=1s CMD x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: HEALTHCHECK twice
cat >Dockerfile <<'END'
FROM busybox
HEALTHCHECK CMD a
HEALTHCHECK NONE
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a cache mount with other owners
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,id=bc1,target=/c echo a >/c/a
RUN --mount=type=cache,id=bc1,target=/c,uid=5 ls /c; stat -c %u /c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a cache mount with other modes
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,id=bc2,target=/c echo a >/c/a
RUN --mount=type=cache,id=bc2,target=/c,mode=0700 ls /c; stat -c %a /c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a cache mount with env
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,target=/c,env=X true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a cache mount without a target
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=cache true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a cache mount shared in no way
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,target=/c,sharing=nosuch true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a cache mount from a stage
cat >Dockerfile <<'END'
FROM busybox AS a
RUN mkdir /s; echo x >/s/x
FROM busybox
RUN --mount=type=cache,from=a,source=/s,target=/c,id=bc3 ls /c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a cache mount from a stage's folder that is not there
cat >Dockerfile <<'END'
FROM busybox AS a
FROM busybox
RUN --mount=type=cache,from=a,source=/nosuch,target=/c,id=bc4 ls /c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a read-only cache mount
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,target=/c,ro touch /c/x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a bind mount of nothing
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=bind,source=nosuch,target=/c true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a bind mount without a target
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=bind true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a bind mount that is written
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=target=/c touch /c/x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a bind mount that may be written
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=target=/c,rw touch /c/x && ls /c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a bind mount from no stage
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=from=127.0.0.1:1/nosuch,target=/c true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a bind mount with a mode
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=bind,target=/c,mode=0700 true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a bind mount with env
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=bind,target=/c,env=X true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a bind mount with a size
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=bind,target=/c,size=5 true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a tmpfs mount with a size
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=tmpfs,target=/c,size=1m df -k /c | tail -1 | grep -c 1024
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a tmpfs mount with a wrong size
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=tmpfs,target=/c,size=x true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a tmpfs mount that is read-only
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=tmpfs,target=/c,ro true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a tmpfs mount without a target
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=tmpfs true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a secret mount without id and target
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=secret true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a secret mount with a source
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=secret,source=x true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a mount with an unknown key
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=bind,target=/c,nosuch=1 true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a mount with a key without a value
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=bind,target true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a mount with a flag that is none
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=bind,target=/c,readwrite=maybe true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a mount with a relative target
cat >Dockerfile <<'END'
FROM busybox
WORKDIR /w
RUN --mount=type=tmpfs,target=c ls -d /w/c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a mount with a variable
cat >Dockerfile <<'END'
FROM busybox
ARG T=/c
RUN --mount=type=tmpfs,target=$T ls -d /c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a mount on the root
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,target=/ true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: two mounts on one target
cat >Dockerfile <<'END'
FROM busybox
RUN --mount=type=tmpfs,target=/c --mount=type=cache,target=/c true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: an empty mount
cat >Dockerfile <<'END'
FROM busybox
RUN --mount= true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a mount with a quote
cat >Dockerfile <<'END'
FROM busybox
RUN --mount='type=tmpfs,target=/c true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ENV without a value
cat >Dockerfile <<'END'
FROM busybox
ENV A
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ENV with an empty name
cat >Dockerfile <<'END'
FROM busybox
ENV =x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ENV mixed
cat >Dockerfile <<'END'
FROM busybox
ENV A=b c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: LABEL without a value
cat >Dockerfile <<'END'
FROM busybox
LABEL A
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: LABEL of a variable
cat >Dockerfile <<'END'
FROM busybox
ARG K=k
LABEL $K=v a=$K b='$K'
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ARG with an empty name
cat >Dockerfile <<'END'
FROM busybox
ARG =x
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ARG of nothing
cat >Dockerfile <<'END'
FROM busybox
ARG
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: ARG of several
cat >Dockerfile <<'END'
FROM busybox
ARG a=1 b=$a c
RUN echo $a $b $c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: USER of nothing
cat >Dockerfile <<'END'
FROM busybox
USER
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: USER of two words
cat >Dockerfile <<'END'
FROM busybox
USER a b
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: USER that is not there
cat >Dockerfile <<'END'
FROM busybox
USER nosuch
RUN true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: USER of an empty variable
cat >Dockerfile <<'END'
FROM busybox
USER $X
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: USER of a large number
cat >Dockerfile <<'END'
FROM busybox
USER 99999999999
RUN true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: WORKDIR of nothing
cat >Dockerfile <<'END'
FROM busybox
WORKDIR
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: WORKDIR of an empty variable
cat >Dockerfile <<'END'
FROM busybox
WORKDIR $X
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: WORKDIR onto a file
cat >Dockerfile <<'END'
FROM busybox
COPY f /x
WORKDIR /x/y
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: SHELL that is no list
cat >Dockerfile <<'END'
FROM busybox
SHELL sh -c
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: SHELL of nothing
cat >Dockerfile <<'END'
FROM busybox
SHELL []
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: SHELL that is not there
cat >Dockerfile <<'END'
FROM busybox
SHELL ["/nosuch", "-c"]
RUN true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: VOLUME of nothing
cat >Dockerfile <<'END'
FROM busybox
VOLUME []
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: VOLUME of an empty name
cat >Dockerfile <<'END'
FROM busybox
VOLUME [""]
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: CMD of nothing
cat >Dockerfile <<'END'
FROM busybox
CMD
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: CMD of an empty list
cat >Dockerfile <<'END'
FROM busybox
CMD []
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: CMD of a wrong list
cat >Dockerfile <<'END'
FROM busybox
CMD ['x']
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: RUN of nothing
cat >Dockerfile <<'END'
FROM busybox
RUN
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: RUN of an empty list
cat >Dockerfile <<'END'
FROM busybox
RUN []
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: RUN of a list whose program is missing
cat >Dockerfile <<'END'
FROM busybox
RUN ["nosuch"]
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: RUN that is killed
cat >Dockerfile <<'END'
FROM busybox
RUN kill -9 $$
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: RUN with an unknown flag
cat >Dockerfile <<'END'
FROM busybox
RUN --nosuch=1 true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: RUN with a flag twice
cat >Dockerfile <<'END'
FROM busybox
RUN --network=none --network=none true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: RUN --device
cat >Dockerfile <<'END'
FROM busybox
RUN --device=nosuch true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM with an unknown flag
cat >Dockerfile <<'END'
FROM --nosuch=1 busybox
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM --platform of no kind
cat >Dockerfile <<'END'
FROM --platform=nosuch busybox
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM --platform of an unset variable
cat >Dockerfile <<'END'
FROM --platform=$X busybox
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM --platform of another
cat >Dockerfile <<'END'
FROM --platform=linux/arm64 busybox
RUN true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM of a wrong name
cat >Dockerfile <<'END'
FROM Wrong
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM of a name with a scheme
cat >Dockerfile <<'END'
FROM http://x/y
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM twice the same stage
cat >Dockerfile <<'END'
FROM busybox AS a
FROM busybox AS a
RUN true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM a stage of a reserved name
cat >Dockerfile <<'END'
FROM busybox AS scratch
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: FROM a stage named context
cat >Dockerfile <<'END'
FROM busybox AS context
RUN true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a circle of stages
cat >Dockerfile <<'END'
FROM b AS a
FROM a AS b
END
touch f
b --target a -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: variables: an error
cat >Dockerfile <<'END'
FROM busybox
ENV X=${Y:?why}
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: variables: no such modifier
cat >Dockerfile <<'END'
FROM busybox
ENV X=${Y:~z}
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: variables: patterns
cat >Dockerfile <<'END'
FROM busybox
ARG A=a.b.c
ENV B=${A#*.} C=${A##*.} D=${A%.*} E=${A%%.*} F=${A/./-} G=${A//./-}
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: variables: replaced wrongly
cat >Dockerfile <<'END'
FROM busybox
ARG A=a.b
ENV B=${A/}
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: variables: nested
cat >Dockerfile <<'END'
FROM busybox
ARG A=x
ENV B=${A:+${A}y} C=${N:-${A}z} D=\$A E='$A' F="$A"
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a directive twice
cat >Dockerfile <<'END'
# escape=\
# escape=`
FROM busybox
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: an escape that is none
cat >Dockerfile <<'END'
# escape=x
FROM busybox
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a syntax that is not there
cat >Dockerfile <<'END'
# syntax=127.0.0.1:1/nosuch
FROM busybox
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a document with an unknown name
cat >Dockerfile <<'END'
FROM scratch
COPY <<a/b /x
x
a/b
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a document without a destination
cat >Dockerfile <<'END'
FROM scratch
COPY <<E
x
E
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a document of ADD with chmod
cat >Dockerfile <<'END'
FROM scratch
ADD --chmod=640 <<E /x
x
E
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: an empty continuation
cat >Dockerfile <<'END'
FROM busybox
RUN true \

  && true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a comment in a continuation
cat >Dockerfile <<'END'
FROM busybox
RUN true \
# no
  && true
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: MAINTAINER of nothing
cat >Dockerfile <<'END'
FROM busybox
MAINTAINER
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: an instruction without FROM
cat >Dockerfile <<'END'
LABEL a=b
FROM busybox
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true

### wrong: a line of blanks
cat >Dockerfile <<'END'
   
	
FROM busybox
END
touch f
b  -t wrong .
echo $?
docker image inspect -f '{{json .Config}}' wrong 2>/dev/null; docker rmi -f wrong >/dev/null 2>&1; true
