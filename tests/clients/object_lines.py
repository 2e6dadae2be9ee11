"""Command lines about networks, volumes, images, contexts, prunes, and what is of a swarm or a plug-in, for ``command_lines``."""

from __future__ import annotations

from pathlib import Path

from clients.command_lines import Family, Step

RECORDED = Path(__file__).parent / "dockerd_28_5_object_lines.json"


def _lines(text: str) -> list[Step | str]:
    return [line for line in map(str.strip, text.split("\n")) if line]


NETWORKS = Family(
    "networks",
    _lines(r"""
        network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
        network ls --format 'table {{.Name}}\t{{.Driver}}'
        network ls --format '{{.Nosuch}}'
        network ls --format '{{.Name'
        network ls --format '{{nosuch .Name}}'
        network ls --format raw
        network ls
        network ls -q
        network ls --filter driver=host --format '{{.Name}}'
        network ls --filter name=rid --format '{{.Name}}'
        network ls --filter type=custom
        network ls --filter type=builtin --format '{{.Name}}'
        network ls --filter type=odd
        network ls --filter nosuch=x
        network ls --filter dangling=odd
        network ls --filter scope=local --format '{{.Name}}'
        network ls --filter id=zz
        network create net1
        network create net1
        network create --label a=1 --label b net2
        network create -d nosuch net3
        network create --subnet 10.77.0.0/24 --gateway 10.77.0.1 net4
        network create --subnet 10.77.0.0/24 net5
        network create --subnet bad net6
        network create --subnet 10.78.0.0/24 --gateway 10.79.0.1 net6
        network create --gateway 10.79.0.1 net6
        network create --gateway bad net6
        network create --subnet 10.78.0.0/24 --ip-range 10.79.0.0/24 net6
        network create --subnet 10.78.0.0/24 --ip-range bad net6
        network create --subnet 10.78.0.0/24 --aux-address a=10.79.0.3 net6
        network create --aux-address a=10.79.0.3 net6
        network create --subnet 10.78.0.0/24 --subnet 10.78.0.0/25 net6
        network create --opt com.docker.network.driver.mtu=x net8
        network create -o com.docker.network.bridge.gateway_mode_ipv4=odd net8
        network create --scope odd net8
        network create net10
        network create -d host net11
        network create bridge
        network create host
        network create none
        network create ''
        network create --config-only --subnet 10.80.0.0/24 cfg2
        network create --config-from nosuch net13
        network create --config-from cfg2 --subnet 10.81.0.0/24 net13
        network ls --format '{{.Name}}'
        network ls --filter label=a --format '{{.Name}} {{.Labels}} {{.Label "a"}}'
        network ls --filter label=a=1 --format '{{.Name}}'
        network ls --filter label=a=2 --format '{{.Name}}'
        network ls --filter driver=bridge --filter name=net1 --format '{{.Name}} {{.Internal}} {{.IPv6}} {{.IPv4}}'
        network inspect nosuch
        network inspect nosuch1 nosuch2
        network inspect net4 nosuch --format '{{.Name}}'
        network inspect nosuch net4 --format '{{.Name}}'
        network inspect nosuch --format '{{.Name}}'
        network inspect bridge --format '{{.Nosuch}}'
        network inspect bridge --format '{{.Name'
        network inspect net4 --format '{{json .IPAM}}'
        network inspect net4 --format json
        network inspect net4 --format '{{json .}}'
        network inspect net4
        network inspect host
        network inspect none
        create --name c1 busybox sleep 1000
        network connect net1 nosuch
        network connect net1 c1
        network connect --ip 10.99.0.9 net2 c1
        network connect --driver-opt bad net10 c1
        network connect host c1
        network rm nosuch
        network rm nosuch net10 nosuch2
        network rm -f nosuch
        network rm bridge
        network rm host
        rm -f c1
        network prune
        network prune -f --filter nosuch=x
        network prune -f --filter until=bad
        network rm net1 net2 net4 cfg2
        network ls --format '{{.Name}}'
    """),
)
VOLUMES = Family(
    "volumes",
    [
        *_lines(r"""
        volume ls
        volume create vol1
        volume create vol1
        volume create vol10
        volume create --label a=1 --label b --label c.d=e=f vol2
        volume create -d nosuch vol3
        volume create -o type=tmpfs vol4
        volume create -o type=tmpfs -o device=tmpfs -o o=size=1m vol5
        volume create -o type=tmpfs -o device=tmpfs vol1
        volume create 'bad name'
        volume create a/b
        volume create a
        volume ls
        volume ls -q
        volume ls --format '{{.Name}}'
        volume ls --format raw
        volume ls --format 'table {{.Name}}\t{{.Driver}}'
        volume ls --format '{{.Nosuch}}'
        volume ls --format '{{.Name'
        volume ls --format '{{.Name}} {{.Labels}} {{.Label "a"}} {{.Scope}} {{.Size}} {{.Links}} {{.Status}}' --filter name=vol2
        volume ls -q --format '{{.Name}}'
        volume ls --filter label=a -q
        volume ls --filter label=a=1 -q
        volume ls --filter driver=local -q
        volume ls --filter driver=odd
        volume ls --filter dangling=true -q
        volume ls --filter dangling=false
        volume ls --filter dangling=odd
        volume ls --filter nosuch=x
        volume ls --filter name=ol -q
        volume inspect vol2 --format '{{json .Labels}}'
        volume inspect nosuch
        volume inspect nosuch1 nosuch2
        volume inspect vol1 nosuch --format '{{.Name}}'
        volume inspect nosuch vol1 --format '{{.Name}}'
        volume inspect nosuch --format '{{.Name}}'
        volume inspect vol1 --format '{{.Name'
        volume inspect vol5 --format '{{.Options}} {{.Status}} {{.Scope}}'
        create --name c1 -v vol1:/x busybox true
        volume rm vol1
        volume rm -f vol1
        volume rm vol2 nosuch
        volume rm nosuch
        volume rm nosuch nosuch2
        volume rm -f nosuch
        volume remove vol5
        volume ls --filter dangling=false
        volume ls --filter dangling=true -q
        volume prune
        volume prune -f --filter nosuch=x
        volume prune -f -a --filter all=1
        rm -f c1
        volume prune -f
        volume rm vol1 vol10
        volume ls
    """),
        Step("volume prune", stdin="n\n"),
        Step("volume prune", stdin="yes\n"),
        Step("volume prune -a", stdin="n\n"),
        Step("volume prune", stdin="Y\n"),
    ],
)
IMAGES = Family(
    "images",
    _lines(r"""
        images
        images -q
        images --digests
        images --format '{{.Repository}} {{.Tag}} {{.Digest}}'
        images --format 'table {{.Repository}}\t{{.Tag}}'
        images --format '{{json .Digest}}'
        images --format '{{.Nosuch}}'
        images --format '{{.ID'
        images --format 'table {{.Nosuch}}'
        images --format raw
        images --format x
        images nosuch
        images busybox:latest --format '{{.Tag}}'
        images 'busy*' -q
        images --filter dangling=true
        images --filter dangling=odd
        images --filter nosuch=x
        images --filter reference=busy* -q
        images --filter label=x
        images --filter before=nosuch
        images --filter since=nosuch
        images --filter until=bad
        images -q --format '{{.Tag}}'
        image inspect nosuch
        image inspect nosuch:1 nosuch2
        image inspect busybox -f '{{.RepoTags}} {{.Os}} {{.Architecture}}'
        image inspect busybox nosuch -f '{{.RepoTags}}'
        image inspect nosuch busybox -f '{{.RepoTags}}'
        image inspect nosuch -f '{{.RepoTags}}'
        image inspect busybox -f '{{.Nosuch}}'
        image inspect busybox -f '{{.Os'
        image inspect busybox -f '{{.Config.Nosuch}}'
        image inspect --platform linux/arm64 busybox
        image inspect 'Bad:Name:x'
        image inspect UPPER
        inspect --type image nosuch
        inspect --type odd busybox
        inspect --type '' busybox
        inspect --type node nosuch
        inspect --type service nosuch
        inspect --type task nosuch
        inspect --type config nosuch
        inspect --type plugin nosuch
        inspect --type volume nosuch
        inspect --type network nosuch
        inspect busybox -f '{{.Os}}'
        inspect --size busybox -f '{{.Os}}'
        inspect nosuch -f '{{.Os}}'
        inspect nosuch nosuch2
        tag nosuch x
        tag busybox app:1
        tag busybox 'Bad'
        tag busybox ''
        tag '' x
        tag busybox 'app:bad tag'
        tag busybox app@sha256:0000
        tag app:1 app:2
        images --filter reference=app --format '{{.Tag}}'
        history nosuch
        history 'Bad'
        history busybox -q
        save nosuch
        save 'Bad Name' -o x.tar
        load -i nosuch.tar
        import nosuch.tar
        create --name c1 app:1 true
        rmi nosuch
        rmi nosuch:1 nosuch2
        rmi 'Bad'
        rmi app:2
        rmi app:2
        rmi -f nosuch
        rm c1
        rmi app:1
        image prune
        image prune -f --filter until=bad
        image prune -f --filter nosuch=x
        image prune -f --filter label=x
        push nosuch
        push 127.0.0.1:1/nosuch
        push 127.0.0.1:1/nosuch:1
        push -a 127.0.0.1:1/app:1
        push 'Bad'
        tag busybox 127.0.0.1:1/app
        pull 127.0.0.1:1/app
        pull -q 127.0.0.1:1/app
        pull -a 127.0.0.1:1/app:1
        pull 'Bad'
        pull ''
        pull scratch
        login
        login -u user 127.0.0.1:1
        login -u user -p secret 127.0.0.1:1
        login --password-stdin 127.0.0.1:1
        logout 127.0.0.1:1
        logout
        system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'
        system df --format '{{.Nosuch}}'
        system df --format '{{.Type'
        rmi 127.0.0.1:1/app
    """),
)
PRUNES = Family(
    "prunes",
    [
        *(
            Step(f"system prune{flags}", stdin="n\n")
            for flags in ("", " -a", " --volumes", " -a --volumes", " --filter label=x", " --filter label=x --filter until=1h")
        ),
        "system prune",
        "system prune -f",
        "system prune -f --filter until=bad",
        "system prune -f --filter nosuch=x",
        "system prune -f --volumes --filter until=1h",
        "network create one",
        Step("system prune", stdin="y\n"),
        "container prune",
        Step("container prune", stdin="y\n"),
        "container prune -f",
        "container prune -f --filter until=bad",
        "container prune -f --filter nosuch=x",
        "container prune -f --filter label=x",
    ],
)
CLUSTER = Family(
    "of a swarm",
    _lines("""
        config ls
        config create
        config inspect nosuch
        config rm nosuch
        config nosuch
        swarm leave
        swarm leave --force
        swarm join
        swarm join-token worker
        swarm join-token
        swarm unlock-key
        swarm unlock
        swarm ca
        swarm nosuch
        service
        service --help
        service ls
        service create
        service create busybox
        service create --replicas 3 --name x busybox
        service inspect nosuch
        service inspect
        service rm nosuch
        service rm
        service ps nosuch
        service logs nosuch
        service scale a=1
        service scale
        service update nosuch
        service rollback nosuch
        service nosuch
        node
        node --help
        node ls
        node inspect
        node inspect self
        node ps
        node rm
        node rm x
        node promote x
        node nosuch
        stack --help
        stack ls
        stack deploy
        stack ps s
        stack rm s
        stack services s
        plugin
        plugin --help
        plugin ls
        plugin install
        plugin inspect
        plugin inspect nosuch
        plugin enable
        plugin enable nosuch
        plugin disable nosuch
        plugin rm
        plugin rm nosuch
        plugin rm nosuch nosuch2
        plugin set nosuch a=b
        plugin set nosuch
        plugin create x
        plugin nosuch
        checkpoint
        checkpoint --help
        checkpoint ls
        checkpoint ls nosuch
        checkpoint create nosuch x
        checkpoint rm nosuch x
    """),
)
CONTEXTS = Family(
    "contexts",
    _lines(r"""
        context show
        context ls -q
        context ls --format '{{.Name}} {{.Current}} {{.Description}}'
        context ls --format '{{.Nosuch}}'
        context ls --format '{{.Name'
        context create one
        context create one --docker host=unix:///nosuch.sock
        context create two --docker host=tcp://127.0.0.1:1 --description 'a two'
        context create three --docker host=ssh://user@127.0.0.1:1
        context create default
        context create 'bad name'
        context create ''
        context create six --from nosuch
        context create seven --docker from=two
        context create eight --docker from=nosuch
        context create nine --docker odd=x
        context create five --from two
        context ls -q
        context inspect two
        context inspect nosuch
        context inspect two nosuch -f '{{.Name}}'
        context inspect nosuch two -f '{{.Name}}'
        context inspect two three -f '{{.Name}}'
        context inspect two -f '{{.Name'
        context inspect two -f '{{json .}}'
        context use nosuch
        context use two
        context show
        context update nosuch
        context update two --description new
        context update default --description x
        context update two --docker odd=x
        context export nosuch
        context export two
        context export two
        context export two /nosuch/folder/x
        context export default d.dockercontext
        context import imp nosuch
        context import imp two.dockercontext
        context import imp two.dockercontext
        context import 'bad name' two.dockercontext
        context import default two.dockercontext
        context import imp3 -
        context inspect imp -f '{{.Name}} {{.Endpoints.docker.Host}}'
        context rm nosuch
        context rm seven nosuch five
        context rm default
        context rm -f nosuch
        context remove imp
        context ls -q
        --context three context show
    """),
)
FAMILIES = [NETWORKS, VOLUMES, IMAGES, PRUNES, CLUSTER, CONTEXTS]
#: By the name of a family: why an answer is otherwise here, by the beginning of its place.
OTHERWISE: dict[str, dict[str, str]] = {
    "contexts": {"context show (2).stdout": "docker was told its daemon by DOCKER_HOST, which goes before a context"},
}
