package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"billsync/internal/simulator"
)

// On a terminal --reveal shows the details, and says that they stay there.
func TestCardOnATerminal(t *testing.T) {
	t.Parallel()
	odd := simulator.Card{AssetID: "ODD", Number: "a\x1b[2Jb\x07\u202e", CVV: "\u009b1A", Month: "1", Year: "30"}
	s, _ := withCards(t, odd)
	root := t.TempDir()
	dir := filepath.Join(root, "work")
	if err := os.Rename(folder(t, s, 30, "[log]\nlevel = \"debug\"\n"+accountA1), dir); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		asset string
		want  []string
	}{
		{"CARD1", []string{"card        CARD1", "account     main", "account id  A1  (as configured)", "number      " + secretNumber, "CVV         " + secretCVV, "expires     07/2029"}},
		{"ODD", []string{"number      a�[2Jb��", "CVV         �1A", "expires     01/2030"}},
	} {
		person, program := terminal(t, 160)
		log, err := os.Create(filepath.Join(root, tt.asset+".log"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := executable(dir, "card", "show", tt.asset, "--reveal")
		cmd.Env = append(cmd.Env, "HOME="+root, "TMPDIR="+root)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		seen := make(chan string)
		go func() {
			var b bytes.Buffer
			_, _ = io.Copy(&b, person) // ends with an error when the terminal is closed
			seen <- b.String()
		}()
		if err := cmd.Wait(); err != nil {
			t.Errorf("card show %s --reveal on a terminal: %v", tt.asset, err)
		}
		_ = program.Close()
		_ = log.Close()
		text := <-seen
		shown := strings.Join(screen(text), "\n") + "\n"
		for _, line := range tt.want {
			if !strings.Contains(shown, line+"\n") {
				t.Errorf("the terminal shows\n%s\nwant the line %q", shown, line)
			}
		}
		if strings.ContainsAny(text, "\x1b\x07\u009b\u202e") {
			t.Errorf("something moves the cursor: %q", text)
		}
		said, err := os.ReadFile(log.Name())
		if err != nil || !strings.Contains(string(said), "note: the details stay in this terminal's scrollback: clear it when you are done\n") ||
			!strings.Contains(string(said), `"revealed":true`) {
			t.Errorf("standard error is %s, %v", said, err)
		}
	}
	if leaks, files := leaking(t, root, secretNumber, secretCVV); len(leaks) > 0 || files < 3 {
		t.Errorf("of %d files these hold a secret: %q", files, leaks)
	}
}

// While it waits for the answer, core files are off already.
func TestCardWithoutCoreFiles(t *testing.T) {
	t.Parallel()
	s, srv := withCards(t)
	gate := gated(t, srv, 1)
	dir := folder(t, s, 30, accountA1)
	cmd := exec.Command("sh", "-c", `ulimit -S -c "$(ulimit -H -c)"; ulimit -S -c >&2; exec syncer card show CARD1 -q`)
	c := begin(t, cmd, dir)
	gate.waits(t, c)
	if strings.TrimSpace(c.err.String()) == "0" {
		t.Skip("core files are off for all programs here")
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if f := strings.Fields(line); strings.HasPrefix(line, "Max core file size") && f[4] != "0" {
			t.Errorf("while the details are on their way: %s", line)
		}
	}
	gate.opened()
	if code := c.code(patience); code != 0 {
		t.Errorf("ended with %d: %s", code, c.err)
	}
}
