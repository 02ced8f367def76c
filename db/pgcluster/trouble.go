package pgcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// again starts the server a second time over the same files; it ends with the same pipe.
const again = `trap '' INT TERM HUP
"$1/postgres" -D "$2" -c listen_addresses=127.0.0.1 -c port="$3" -c unix_socket_directories= \
	-c max_connections=200 -c shared_buffers=64MB $4 >>"$2.log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server`

// Stop ends the server and leaves its files: fast, as an operator does, or immediate, as a
// machine does that loses its power.
func (c *Cluster) Stop(immediate bool) error {
	pid, err := c.pid()
	if err != nil {
		return err
	}
	signal := syscall.SIGINT
	if immediate {
		signal = syscall.SIGQUIT
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return err
	}
	for range 400 {
		if syscall.Kill(pid, 0) != nil || defunct(pid) {
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return errors.New("the PostgreSQL server did not stop in 10 seconds")
}

// defunct: ended, and not yet waited for by the shell that started it.
func defunct(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// Again starts a stopped server over the same files and waits until it answers.
func (c *Cluster) Again() error {
	cmd := exec.Command("sh", "-c", again, "sh", c.bin, c.data, strconv.Itoa(c.port), c.settings)
	cmd.Dir, cmd.Stdin = filepath.Dir(c.data), c.read
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	return c.ready(c.data + ".log")
}

// Freeze stops every process of the server where it is, so that nobody is answered and
// nobody is hung up on, until thaw is called.
func (c *Cluster) Freeze() (thaw func(), err error) {
	pid, err := c.pid()
	if err != nil {
		return nil, err
	}
	all := []int{pid}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(string(children)) {
		if child, err := strconv.Atoi(word); err == nil {
			all = append(all, child)
		}
	}
	for _, p := range all {
		_ = syscall.Kill(p, syscall.SIGSTOP) // one may have ended meanwhile
	}
	return func() {
		for _, p := range all {
			_ = syscall.Kill(p, syscall.SIGCONT)
		}
	}, nil
}

// pid of the server, as it wrote it down itself.
func (c *Cluster) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}
