# Where a build's files come from: contexts, Dockerfiles, ignore files, repositories, archives, secrets, agents; what its steps get. Read by running.py.

### ignore: all but one
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo '*
!keep' >.dockerignore; touch keep a b; mkdir d; touch d/keep; b -o out . && look tree out

### ignore: a folder, but a file in it
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo 'd
!d/e/f' >.dockerignore; mkdir -p d/e; touch d/x d/e/f d/e/g; b -o out . && look tree out

### ignore: doublestar
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo '**/*.o
!**/keep.o' >.dockerignore; mkdir -p d/e; touch a.o d/b.o d/e/keep.o d/c; b -o out . && look tree out

### ignore: a doublestar in the middle
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo 'a/**/z' >.dockerignore; mkdir -p a/b/c; touch a/z a/b/z a/b/c/z a/b/y; b -o out . && look tree out

### ignore: question marks and classes
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo '?.x
[a-c].y
[^d].z' >.dockerignore; touch 1.x 12.x a.y d.y d.z e.z; b -o out . && look tree out

### ignore: slashes around
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo '/a
b/
./c
d/../e' >.dockerignore; mkdir b; touch a b/x c e; b -o out . && look tree out

### ignore: comments, blanks and a byte order mark
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
printf '\xef\xbb\xbfa\n  b  \n#c\n # d\n\n\t\n' >.dockerignore; touch a b '#c' ' # d' c; b -o out . && look tree out

### ignore: exclamation marks
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
printf 'a*\n! ab\n!!ac\n\\!d\n' >.dockerignore; touch aa ab ac '!d'; b -o out . && look tree out

### ignore: an exclamation mark alone
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
printf 'a\n!\n' >.dockerignore; touch a; b -o out .

### ignore: the Dockerfile and the ignore file
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
printf 'Dockerfile\n.dockerignore\n' >.dockerignore; touch a; b -o out . && look tree out

### ignore: everything
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo '*' >.dockerignore; touch a; b -o out . && look tree out

### ignore: everything, and a copy of a name
printf 'FROM scratch\nCOPY a /\n' >Dockerfile; echo '*' >.dockerignore; touch a; b -o out .

### ignore: the root
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo '.' >.dockerignore; touch a; b -o out . && look tree out

### ignore: above
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo '../a' >.dockerignore; touch a; b -o out . && look tree out

### ignore: CRLF
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
printf 'a\r\nb\r\n' >.dockerignore; touch a b c; b -o out . && look tree out

### ignore: escapes
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
printf 'a\\*\n' >.dockerignore; touch 'a*' ab; b -o out . && look tree out

### ignore: its own file beside another Dockerfile
mkdir df; printf 'FROM scratch\nCOPY . /c/\n' >df/My.Dockerfile; echo a >df/My.Dockerfile.dockerignore; echo b >.dockerignore; touch a b; b -f df/My.Dockerfile -o out . && look tree out

### ignore: its own file outside of the context
mkdir ctx; printf 'FROM scratch\nCOPY . /c/\n' >My; echo a >My.dockerignore; echo b >ctx/.dockerignore; touch ctx/a ctx/b; b -f My -o out ctx && look tree out

### ignore: its own file, empty
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
touch Dockerfile.dockerignore a; echo a >.dockerignore; b -o out . && look tree out

### ignore: with a Dockerfile of standard input
echo a >.dockerignore; touch a b; printf 'FROM scratch\nCOPY . /c/\n' | b -f - -o out . && look tree out

### ignore: in a tar
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo a >.dockerignore; touch a b; tar c . | b -o out - && look tree out

### ignore: many patterns
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
for i in $(seq 300); do echo n$i; done >.dockerignore; echo '!n7' >>.dockerignore; touch n7 n8 n301; b -o out . && look tree out

### ignore: links
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
echo l >.dockerignore; mkdir d; touch d/x; ln -s d l; ln -s nosuch m; b -o out . && look tree out

### named: a folder
printf 'FROM scratch\nCOPY --from=x . /c/\n' >Dockerfile; mkdir more; echo 1 >more/f; b --build-context x=more -o out . && look tree out

### named: a folder that is not there
printf 'FROM scratch\nCOPY --from=x . /c/\n' >Dockerfile; b --build-context x=nosuch -o out .

### named: a file
printf 'FROM scratch\nCOPY --from=x . /c/\n' >Dockerfile; touch file; b --build-context x=file -o out .

### named: not used
printf 'FROM scratch\nCOPY f /\n' >Dockerfile; touch f; mkdir e; b --build-context x=e -o out . && look tree out

### named: without a value
printf 'FROM scratch\n' >Dockerfile; b --build-context x .

### named: an image
printf 'FROM x\nRUN echo y >/y\n' >Dockerfile; b --build-context x=docker-image://busybox -o out . && cat out/y

### named: an image that is not there
printf 'FROM x\nRUN echo y >/y\n' >Dockerfile; b --build-context x=docker-image://127.0.0.1:1/nosuch:1 -o out .

### named: an image with a wrong name
printf 'FROM x\nRUN echo y >/y\n' >Dockerfile; b --build-context x=docker-image://Wrong -o out .

### named: in place of a stage
printf 'FROM busybox AS base\nRUN false\nFROM base\nRUN echo z >/z\n' >Dockerfile; b --build-context base=docker-image://busybox -o out . && cat out/z

### named: in place of an image with a tag
printf 'FROM alpine:3\nRUN echo z >/z\n' >Dockerfile; b --build-context alpine:3=docker-image://busybox -o out . && cat out/z

### named: scratch
printf 'FROM scratch\nCOPY f /\n' >Dockerfile; touch f; b --build-context scratch=docker-image://busybox -o out .

### named: a repository
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
printf 'FROM scratch\nCOPY --from=r f /\n' >Dockerfile; b --build-context r=git://$GIT/repo -o out . && cat out/f

### named: a repository's branch and folder
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
printf 'FROM scratch\nCOPY --from=r . /\n' >Dockerfile; b --build-context r=git://$GIT/repo#v1:sub -o out . && look tree out | grep -v now; ls out

### named: an archive of the web
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM scratch\nCOPY --from=r . /\n' >Dockerfile; b --build-context r=http://$WEB/context.tar.gz -o out . && ls out

### named: a file of the web
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM scratch\nCOPY --from=r . /\n' >Dockerfile; b --build-context r=http://$WEB/plain.txt -o out . && ls out

### named: a layout
printf 'FROM scratch\nCOPY . /\n' >a.df; echo l >f; b --provenance false -f a.df -t lay:1 -o type=oci,dest=l.tar . >/dev/null; mkdir l; tar xf l.tar -C l; printf 'FROM x\nCOPY --from=x f /again\n' >Dockerfile; b --build-context x=oci-layout://$PWD/l:1 -o out . && cat out/again

### named: a layout that is none
printf 'FROM x\n' >Dockerfile; mkdir l; b --build-context x=oci-layout://$PWD/l -o out .

### named: standard input
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
tar c Dockerfile | b --build-context x=- -o out .

### named: the context itself
printf 'FROM scratch\nCOPY --from=x f /\n' >Dockerfile; echo 1 >f; b --build-context x=. -o out . && cat out/f

### context: a Dockerfile on standard input alone
printf 'FROM busybox\nRUN echo s >/s\n' | b -o out - && cat out/s

### context: a Dockerfile on standard input that copies
printf 'FROM scratch\nCOPY f /\n' | b -o out -

### context: a tar
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
touch a; tar c . | b -o out - && look tree out

### context: a gzipped tar
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
touch a; tar cz . | b -o out - && look tree out

### context: an xz tar
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
touch a; tar cJ . | b -o out - && look tree out

### context: a tar without a Dockerfile
touch a; tar c a | b -o out -

### context: a tar with another Dockerfile
touch a; printf 'FROM scratch\nCOPY a /\n' >Other; tar c . | b -f Other -o out - && ls out

### context: a damaged tar
printf 'FROM scratch\nCOPY . /c/\n' >Dockerfile
head -c 3000 /dev/urandom >f; tar cz . | head -c 1500 | b -o out - 2>&1 | grep -c ERROR

### context: nothing on standard input
b -o out - </dev/null

### context: binary on standard input
printf '\1\2\3\0\0binary' | b -o out -

### context: a folder that is not there
b -o out nosuch

### context: a file
touch file; b -o out file

### context: none
b

### context: two
b . .

### context: a link
mkdir d; printf 'FROM scratch\nCOPY f /\n' >d/Dockerfile; echo 1 >d/f; ln -s d l; b -o out l && ls out

### context: both on standard input
printf x | b -f - -

### context: a Dockerfile of the web
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
echo here >f; b -f http://$WEB/Webfile -o out . && cat out/f

### context: a Dockerfile of the web that is not there
b -f http://$WEB/nosuch -o out .

### context: an archive of the web
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
b -o out http://$WEB/context.tar.gz && cat out/f

### context: an archive of the web, another Dockerfile
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
b -f d/Other -o out http://$WEB/context.tar.gz && cat out/g

### context: a file of the web as a Dockerfile
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM busybox\nRUN echo w >/w\n' >$WWW/Only; b -o out http://$WEB/Only && cat out/w

### context: the web has no such thing
b -o out http://$WEB/nosuch.tar.gz

### context: a local Dockerfile with the web's archive
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM scratch\nCOPY f /mine\n' >L; b -f $PWD/L -o out http://$WEB/context.tar.gz; ls out

### context: a repository
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out git://$GIT/repo && cat out/f

### context: a repository's tag
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out git://$GIT/repo#v1 && cat out/f

### context: a repository's branch
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out git://$GIT/repo#other && cat out/f

### context: a repository's folder
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out git://$GIT/repo#:sub && cat out/g

### context: a repository's folder that is not there
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out git://$GIT/repo#main:nosuch

### context: a repository's branch that is not there
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out git://$GIT/repo#nosuch 2>&1 | tail -1

### context: a repository's commit
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out git://$GIT/repo#$(git -C $WWW/repo rev-parse main) && cat out/f

### context: a repository by a query
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out 'git://'$GIT'/repo?branch=other&subdir=sub' && cat out/g

### context: a repository by a query that is wrong
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -o out 'git://'$GIT'/repo?nosuch=1'

### context: a repository without .git
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -f All -o out git://$GIT/repo && ls -A out/all

### context: a repository with .git
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
b -f All --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 -o out git://$GIT/repo && ls -A out/all

### context: a repository that is not there
b -o out git://$GIT/nosuch 2>&1 | grep -c ERROR

### add: a repository
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
printf 'FROM scratch\nADD git://'$GIT'/repo#v1 /r\n' >Dockerfile; b -o out . && ls -A out/r

### add: a repository's folder
[ -e $WWW/repo ] || (
  export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
  mkdir $WWW/repo.new && cd $WWW/repo.new && git init -q -b main && mkdir sub
  printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; printf 'FROM scratch\nCOPY g /g\n' >sub/Dockerfile
  echo f >f; echo g >sub/g; printf 'FROM scratch\nCOPY . /all\n' >All
  git add . && git commit -qm one && git tag v1 && git checkout -qb other && echo other >f && git commit -qam two && git checkout -q main
  mv $WWW/repo.new $WWW/repo
) 2>/dev/null
printf 'FROM scratch\nADD git://'$GIT'/repo#v1:sub /r\n' >Dockerfile; b -o out . && ls -A out/r

### add: of the web
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM scratch\nADD http://'$WEB'/plain.txt /p/\nADD http://'$WEB'/context.tar.gz /a/\n' >Dockerfile; b -o out . && find out | sort

### add: of the web, unpacked
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM scratch\nADD --unpack=true http://'$WEB'/context.tar.gz /a/\n' >Dockerfile; b -o out . && find out | sort

### add: of the web with a checksum
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM scratch\nADD --checksum=sha256:'$(echo plain | sha256sum | cut -c -64)' http://'$WEB'/plain.txt /p\n' >Dockerfile; b -o out . && cat out/p

### add: of the web with a wrong checksum
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM scratch\nADD --checksum=sha256:'$(printf %064d 0)' http://'$WEB'/plain.txt /p\n' >Dockerfile; b -o out .

### add: a checksum of a local file
printf 'FROM scratch\nADD --checksum=sha256:'$(printf %064d 0)' f /p\n' >Dockerfile; touch f; b -o out .

### add: a checksum that is none
printf 'FROM scratch\nADD --checksum=nosuch http://'$WEB'/plain.txt /p\n' >Dockerfile; b -o out .

### add: of the web, not there
printf 'FROM scratch\nADD http://'$WEB'/nosuch /p\n' >Dockerfile; b -o out .

### add: of the web with a mode and an owner
[ -e $WWW/context.tar.gz ] || (mkdir -p $WWW/x && cd $WWW/x && printf 'FROM scratch\nCOPY f /f\n' >Dockerfile && echo web >f &&
mkdir d && printf 'FROM scratch\nCOPY f /g\n' >d/Other && tar czf ../context.tar.gz --mtime=@1000000000 . && cp Dockerfile ../Webfile && echo plain >../plain.txt)
printf 'FROM scratch\nADD --chmod=0711 --chown=1:2 http://'$WEB'/plain.txt /p\n' >Dockerfile; b -o out . && look tree out

### a Dockerfile with a byte order mark
printf '\xef\xbb\xbfFROM scratch\nCOPY f /\n' >Dockerfile; touch f; b -o out . && ls out

### a Dockerfile with CRLF
printf 'FROM busybox\r\nRUN echo a \\\r\n b >/r\r\n' >Dockerfile; b -o out . && cat out/r

### a Dockerfile in lower case
printf 'FROM scratch\nCOPY f /\n' >dockerfile; touch f; b -o out . && ls out

### a Dockerfile that is empty
touch Dockerfile; b -o out .

### a Dockerfile with an escape directive
printf '# escape=`\nFROM busybox\nRUN echo a `\n b >/e\n' >Dockerfile; b -o out . && cat out/e

### a Dockerfile of a frontend
printf '# syntax=docker/dockerfile:1\nFROM scratch\nCOPY f /\n' >Dockerfile; touch f; b -o out . 2>&1 | grep -v '^#' | head -3

### an absolute Dockerfile
mkdir d; printf 'FROM scratch\nCOPY f /\n' >d/D; touch f; b -f $PWD/d/D -o out . && ls out

### a Dockerfile that is a link
printf 'FROM scratch\nCOPY f /\n' >real; ln -s real Dockerfile; touch f; b -o out . && ls out

### secret: a file
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=s cat /run/secrets/s >/s' >Dockerfile; echo hush >file; b --secret id=s,src=file -o out . && cat out/s

### secret: of a variable
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=OUTSIDE cat /run/secrets/OUTSIDE >/s' >Dockerfile; b --secret id=OUTSIDE -o out . && cat out/s

### secret: of a named variable
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=s,env=X echo $X >/s' >Dockerfile; b --secret id=s,env=OUTSIDE -o out . && cat out/s

### secret: of a variable that is not set
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=s,required cat /run/secrets/s' >Dockerfile; b --secret id=s,env=NOSUCH -o out .

### secret: a file that is not there
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --secret id=s,src=nosuch -o out .

### secret: a folder
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; mkdir d; b --secret id=s,src=d -o out .

### secret: too large
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=s true' >Dockerfile; head -c 600000 /dev/zero >big; b --secret id=s,src=big -o out .

### secret: without an id
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; touch f; b --secret src=f -o out .

### secret: a type that is none
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; touch f; b --secret type=nosuch,id=s,src=f -o out .

### secret: a field that is none
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; touch f; b --secret id=s,nosuch=f -o out .

### secret: owner and mode
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=s,uid=5,gid=6,mode=0440,target=/k/s stat -c "%%u %%g %%a" /k/s >/s' >Dockerfile; echo hush >file; b --secret id=s,src=file -o out . && cat out/s

### secret: as a file and a variable
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=s,env=X,target=/k sh -c "cat /k; echo $X" >/s' >Dockerfile; echo hush >file; b --secret id=s,src=file -o out . && cat out/s

### secret: with a mode that is none
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=s,mode=xyz true' >Dockerfile; b -o out .

### secret: its words are not cached
printf 'FROM busybox\nRUN %s\n' '--mount=type=secret,id=s cat /run/secrets/s >/s' >Dockerfile; echo 1 >file; b --secret id=s,src=file -o out . 2>/dev/null; echo 2 >file; b --secret id=s,src=file -o out . 2>/dev/null; cat out/s

### ssh: none
printf 'FROM busybox\nRUN %s\n' '--mount=type=ssh true' >Dockerfile; b -o out .

### ssh: no agent
printf 'FROM busybox\nRUN %s\n' '--mount=type=ssh,required true' >Dockerfile; SSH_AUTH_SOCK= b --ssh default -o out .

### ssh: an agent
printf 'FROM busybox\nRUN %s\n' '--mount=type=ssh,uid=3,mode=0666 echo $SSH_AUTH_SOCK >/a; stat -c "%%u %%a" $SSH_AUTH_SOCK >>/a' >Dockerfile; eval $(ssh-agent) >/dev/null; b --ssh default -o out . && cat out/a; kill $SSH_AGENT_PID

### ssh: a key
printf 'FROM busybox\nRUN %s\n' '--mount=type=ssh,id=k,target=/s test -S /s' >Dockerfile; ssh-keygen -q -t ed25519 -N '' -f key; b --ssh k=key -o out . && echo yes

### ssh: a key that is none
printf 'FROM busybox\nRUN %s\n' '--mount=type=ssh true' >Dockerfile; echo x >key; b --ssh default=key -o out .

### ssh: of another id
printf 'FROM busybox\nRUN %s\n' '--mount=type=ssh,id=other,required true' >Dockerfile; ssh-keygen -q -t ed25519 -N '' -f key; b --ssh default=key -o out .

### step: ulimit
printf 'FROM busybox\nRUN %s\n' 'ulimit -n >/u' >Dockerfile; b --ulimit nofile=50:60 -o out . && cat out/u

### step: ulimit that is none
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --ulimit nosuch=1 -o out .

### step: ulimit of the wrong order
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --ulimit nofile=60:50 -o out .

### step: shm-size
printf 'FROM busybox\nRUN %s\n' 'df -k /dev/shm | tail -1 | sed "s/ \+/ /g" | cut -d" " -f2 >/u' >Dockerfile; b --shm-size 128m -o out . && cat out/u

### step: shm-size by default
printf 'FROM busybox\nRUN %s\n' 'df -k /dev/shm | tail -1 | sed "s/ \+/ /g" | cut -d" " -f2 >/u' >Dockerfile; b -o out . && cat out/u

### step: shm-size that is none
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --shm-size nosuch -o out .

### step: add-host
printf 'FROM busybox\nRUN %s\n' 'grep there /etc/hosts >/h' >Dockerfile; b --add-host there=10.0.0.1 --add-host there6=::1 -o out . && cat out/h

### step: add-host host-gateway
printf 'FROM busybox\nRUN %s\n' 'grep -c gw /etc/hosts >/h' >Dockerfile; b --add-host gw:host-gateway -o out . && cat out/h

### step: add-host that is none
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --add-host there -o out .

### step: add-host without an address
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --add-host there:nosuch -o out .

### step: cgroup-parent
printf 'FROM busybox\nRUN %s\n' 'cat /proc/self/cgroup >/g' >Dockerfile; b --cgroup-parent /bc-parent -o out . && grep -c bc-parent out/g; rmdir /sys/fs/cgroup/*/bc-parent 2>/dev/null; true

### step: network host without leave
printf 'FROM busybox\nRUN %s\n' 'ls /sys/class/net >/n' >Dockerfile; docker buildx build --progress plain --network host -o out . && grep -c lo out/n

### step: network host
printf 'FROM busybox\nRUN %s\n' 'ls /sys/class/net >/n' >Dockerfile; docker buildx build --progress plain --allow network.host --network host -o out . && grep -c lo out/n

### step: network none
printf 'FROM busybox\nRUN %s\n' 'ls /sys/class/net >/n' >Dockerfile; b -o out . && cat out/n

### step: network default
printf 'FROM busybox\nRUN %s\n' 'ls /sys/class/net | sort >/n' >Dockerfile; docker buildx build --progress plain -o out . && cat out/n

### step: network of no kind
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; docker buildx build --progress plain --network nosuch -o out .

### step: network bridge
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; docker buildx build --progress plain --network bridge -o out .

### step: network none of one step
printf 'FROM busybox\nRUN %s\n' '--network=none ls /sys/class/net >/n' >Dockerfile; docker buildx build --progress plain -o out . && cat out/n

### step: network of no kind of one step
printf 'FROM busybox\nRUN %s\n' '--network=nosuch true' >Dockerfile; b -o out .

### step: insecure without leave
printf 'FROM busybox\nRUN %s\n' '--security=insecure true' >Dockerfile; b -o out .

### step: insecure
printf 'FROM busybox\nRUN %s\n' '--security=insecure grep CapEff /proc/self/status >/c' >Dockerfile; b --allow security.insecure -o out . && grep -c . out/c

### step: entitlement of no kind
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --allow nosuch -o out .

### step: proxy
printf 'FROM busybox\nRUN %s\n' 'echo $http_proxy >/p' >Dockerfile; b --build-arg http_proxy=http://p:1 -o out . && cat out/p

### step: arguments of the environment
printf 'FROM busybox\nARG OUTSIDE\nARG MISSING=d\nRUN echo $OUTSIDE $MISSING >/a\n' >Dockerfile; b --build-arg OUTSIDE --build-arg MISSING -o out . && cat out/a

### step: an argument without a name
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --build-arg =x -o out .

### step: an argument that nobody takes
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --build-arg nobody=x -o out . && echo fine

### step: labels
printf 'FROM scratch\nLABEL a=1\nCOPY f /\n' >Dockerfile; touch f; b --label a=2 --label b --label c= -t labels . && docker image inspect -f '{{json .Config.Labels}}' labels

### step: labels of a file
printf 'FROM scratch\nCOPY f /\n' >Dockerfile; touch f; b --label '' -t labels2 .

### cache: all is cached
printf 'FROM busybox\nRUN %s\n' 'echo x >/x' >Dockerfile; b -t c . 2>/dev/null; b -t c .

### cache: no-cache
printf 'FROM busybox\nRUN %s\n' 'cat /proc/sys/kernel/random/uuid >/x' >Dockerfile; b -o a . 2>/dev/null; b --no-cache -o b . 2>/dev/null; cmp -s a/x b/x; echo $?

### cache: no-cache-filter
printf 'FROM busybox AS one\nRUN cat /proc/sys/kernel/random/uuid >/x\nFROM busybox AS two\nRUN cat /proc/sys/kernel/random/uuid >/y\nFROM scratch\nCOPY --from=one /x /\nCOPY --from=two /y /\n' >Dockerfile; b -o a . 2>/dev/null; b --no-cache-filter two -o b . 2>/dev/null; cmp -s a/x b/x; echo $?; cmp -s a/y b/y; echo $?

### cache: no-cache-filter of a stage that is not there
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --no-cache-filter nosuch -o a . && echo fine

### cache: no-cache and a filter
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --no-cache --no-cache-filter x .

### cache: pull of a local image
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --pull . 2>&1 | grep -c ERROR

### cache: to a folder and back
printf 'FROM busybox\nRUN %s\n' 'cat /proc/sys/kernel/random/uuid >/x' >Dockerfile; b --cache-to type=local,dest=cache -o a . && docker builder prune -af >/dev/null; b --cache-from type=local,src=cache -o b . && cmp a/x b/x && echo same

### cache: from a folder that is not there
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --cache-from type=local,src=nosuch -o a .

### cache: to a registry and back
printf 'FROM busybox\nRUN %s\n' 'cat /proc/sys/kernel/random/uuid >/x' >Dockerfile; b --cache-to type=registry,ref=$REGISTRY/cache:1,mode=max -o a . && docker builder prune -af >/dev/null; b --cache-from type=registry,ref=$REGISTRY/cache:1 -o b . && cmp a/x b/x && echo same

### cache: from a registry that is not there
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --cache-from $REGISTRY/nosuch:1 -o a . && echo fine

### cache: inline
printf 'FROM busybox\nRUN %s\n' 'cat /proc/sys/kernel/random/uuid >/x' >Dockerfile; b --cache-to type=inline --push -t $REGISTRY/inline:1 . && echo pushed

### cache: of no kind
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --cache-to type=nosuch -o a .

### cache: from no kind
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --cache-from type=nosuch -o a .

### cache: gha
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --cache-to type=gha,url=http://127.0.0.1:1/,token=x -o a .

### cache: a mode that is none
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --cache-to type=local,dest=c,mode=nosuch -o a .

### cache: options of a folder
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --cache-to type=local,dest=c,compression=zstd,image-manifest=false,oci-mediatypes=true,ignore-error=true -o a . && ls c

### progress: rawjson
printf 'FROM busybox\nRUN %s\n' 'echo said' >Dockerfile; b --progress rawjson -o out . 2>log; python3 -c 'import json;print(sorted({k for l in open("log") for k in json.loads(l)}), sum("said" in l for l in open("log"))>0)'

### progress: quiet
printf 'FROM busybox\nRUN %s\n' 'echo said' >Dockerfile; b --progress quiet -o out .

### progress: tty without a terminal
printf 'FROM busybox\nRUN %s\n' 'echo said' >Dockerfile; b --progress tty -o out .

### progress: of no kind
printf 'FROM busybox\nRUN %s\n' true >Dockerfile; b --progress nosuch -o out .

### progress: in a terminal
printf 'FROM busybox\nRUN %s\n' 'echo said' >Dockerfile; script -qec 'docker buildx build --network none -o out .' /dev/null >log; grep -c 'FINISHED' log

### docker build
printf 'FROM scratch\nCOPY f /\n' >Dockerfile; touch f; docker build -t viadocker . 2>/dev/null; docker images --format '{{.Repository}}' viadocker; docker build -q .

### docker image build
printf 'FROM scratch\nCOPY f /\n' >Dockerfile; touch f; docker image build --progress plain -t viadocker . && docker builder build -q .

### classic: docker build without BuildKit
printf 'FROM busybox\nCOPY f /\nRUN echo hi\n' >Dockerfile; touch f; DOCKER_BUILDKIT=0 docker build --network none -t classic . | sed 's/[0-9a-f]\{12\}/ID/'
