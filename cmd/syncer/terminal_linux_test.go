package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"billsync/internal/config"
)

// terminal opens a terminal of so many columns: the side of the person and the
// side of the program.
func terminal(t *testing.T, columns uint16) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine gives no terminals: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	control := func(request uintptr, arg unsafe.Pointer) {
		t.Helper()
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(arg)); errno != 0 {
			t.Fatalf("setting up a terminal: %v", errno)
		}
	}
	var number, unlock uint32
	size := [4]uint16{30, columns}
	control(syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	control(syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine gives no terminals: %v", err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// screen is what a terminal shows after it was sent a text, as far as this
// program makes use of it: lines, the cursor up, the rest erased, no colours.
func screen(text string) []string {
	lines, row, col := [][]rune{nil}, 0, 0
	for len(text) > 0 {
		if m := regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`).FindStringSubmatch(text); m != nil {
			text = text[len(m[0]):]
			switch n, _ := strconv.Atoi(m[1]); m[2] {
			case "A":
				row = max(0, row-max(1, n))
			case "J":
				lines = lines[:row+1]
				lines[row] = lines[row][:min(col, len(lines[row]))]
			}
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch r {
		case '\r':
			col = 0
		case '\n':
			if row++; row == len(lines) {
				lines = append(lines, nil)
			}
		default:
			for len(lines[row]) <= col {
				lines[row] = append(lines[row], ' ')
			}
			lines[row][col] = r
			col++
		}
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimRight(string(l), " ")
	}
	return out
}

// Ctrl-C on a terminal is answered above the bar, in a line that stays, and no
// piece of the bar stays.
func TestStoppedOnATerminal(t *testing.T) {
	t.Parallel()
	dir := folder(t, simulate(t, "--latency", "100ms"), 400, "")
	person, program := terminal(t, 160)
	c := &child{t: t, args: []string{"sync"}, cmd: executable(dir, "sync"), out: newTape(), err: newTape(), ended: make(chan struct{})}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = program, program, program
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := make(chan struct{})
	go func() {
		_, _ = io.Copy(c.err, person) // ends with an error when the terminal is closed
		close(seen)
	}()
	go func() {
		_ = c.cmd.Wait()
		_ = program.Close()
		close(c.ended)
	}()
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); <-c.ended })
	c.says(" pages", 2)
	if _, err := person.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if got := c.code(patience); got != 130 {
		t.Errorf("sync on a terminal stopped by Ctrl-C ended with %d, want 130", got)
	}
	<-seen
	lines := screen(c.err.String())
	shown := strings.Join(lines, "\n")
	for _, want := range []string{"syncer: SIGINT: finishing what is in hand, once more to stop now", "syncer: stopped by SIGINT; what was read is kept, and running it again continues"} {
		n := 0
		for _, l := range lines {
			if l == want {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the screen shows %q %d times, want once in a line of its own:\n%s", want, n, shown)
		}
	}
	if strings.ContainsAny(shown, "▓░") {
		t.Errorf("a piece of the bar stayed:\n%s", shown)
	}
	if !strings.Contains(c.err.String(), "▓") {
		t.Errorf("there was no bar:\n%q", c.err)
	}
	if _, err := os.Stat(filepath.Join(dir, "bills.db.holder")); err == nil {
		t.Errorf("the lock was not given back")
	}
}

// The screen of these tests does what a terminal does.
func TestScreen(t *testing.T) {
	t.Parallel()
	got := fmt.Sprintf("%q", screen("one\r\nbar 1\r\n^C\x1b[1A\x1b[J\rtold\r\nbar 2\r\n\x1b[1A\x1b[Jend\r\n"))
	if want := `["one" "told" "end" ""]`; got != want {
		t.Errorf("screen() = %s, want %s", got, want)
	}
}

// On a terminal an export shows how many of its lines are written, unless these go
// to the same terminal.
func TestExportOnATerminal(t *testing.T) {
	t.Parallel()
	person, program := terminal(t, 120)
	shown := newTape()
	go func() { _, _ = io.Copy(shown, person) }() // ends with an error when the terminal is closed
	g := &globals{stderr: program, now: time.Now, noColor: true}
	p := g.newProgress(config.Log{Level: "info", Format: "console"})
	p.exported(1001, 4004)
	for deadline := time.Now().Add(patience); !strings.Contains(shown.String(), "1,001 of 4,004 lines"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the terminal shows %q", shown)
		}
	}
	if !strings.Contains(shown.String(), "25%") {
		t.Errorf("the bar shows %q, want a quarter", shown)
	}
	p.end()

	d := exported(t)
	_, errout, code := d.ask("export", "csv")
	if code != exitDone || errout != "" {
		t.Fatalf("export ends with %d and says %s", code, errout)
	}
	for _, tt := range []struct {
		args string
		bar  bool
	}{{"csv", false}, {"csv -o one.csv", true}, {"ofx -o two", true}, {"ofx -o three -q", false}} {
		person, program := terminal(t, 120)
		shown := newTape()
		done := make(chan struct{})
		go func() {
			_, _ = io.Copy(shown, person)
			close(done)
		}()
		g := &globals{stdin: strings.NewReader(""), stdout: program, stderr: program, now: time.Now, noColor: true}
		args := append([]string{"export", "-c", filepath.Join(d.dir, "config.toml")}, strings.Fields(strings.Replace(tt.args, "-o ", "-o "+d.dir+"/", 1))...)
		if code := run(t.Context(), g, args); code != exitDone {
			t.Errorf("%v ends with %d: %s", args, code, shown)
		}
		_ = program.Close()
		<-done
		if strings.Contains(shown.String(), "\x1b[") != tt.bar {
			t.Errorf("%v shows %q, want a bar: %t", args, shown, tt.bar)
		}
	}
}
