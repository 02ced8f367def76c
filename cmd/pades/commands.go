package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// commands is filled when the program starts: help and completion look into it.
var commands []*command

func init() {
	commands = []*command{
		{name: "sign", args: "-cert CHAIN -key KEY [flags] IN OUT", does: "sign a file", more: signHelp, flags: signFlags},
		{name: "extend", args: "-level B-LT|B-LTA [flags] IN OUT", does: "add validation data or a document timestamp to a signed file", more: extendHelp, flags: extendFlags},
		{name: "verify", args: "[flags] FILE...", does: "check the signatures of files", more: verifyHelp, flags: verifyFlags},
		{name: "inspect", args: "[flags] FILE...", does: "tell what files are and what in them deserves a warning", more: inspectHelp, flags: inspectFlags},
		{name: "completion", args: "bash|zsh|fish", does: "print a script for the shell", more: "Write it where your shell looks for completions, or: source <(pades completion bash)",
			flags: completionFlags, words: []string{"bash", "zsh", "fish"}},
		{name: "help", args: "[COMMAND]", does: "explain a command", flags: helpFlags},
		{name: "version", does: "print the version", flags: versionFlags},
	}
	for _, c := range commands {
		lookUp("help").words = append(lookUp("help").words, c.name)
	}
}

func lookUp(name string) *command {
	i := slices.IndexFunc(commands, func(c *command) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return commands[i]
}

func (c *command) set() *flag.FlagSet {
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.flags(fs)
	return fs
}

func overview() string {
	var b strings.Builder
	b.WriteString("pades signs and checks PDF files.\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  pades %-11s %s\n", c.name, c.does)
	}
	b.WriteString("\npades help COMMAND tells more.\n")
	return b.String()
}

func (c *command) usage() string {
	return fmt.Sprintf("usage: pades %s %s\npades help %s tells more.\n", c.name, c.args, c.name)
}

func (c *command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: pades %s %s\n\n%s\n", c.name, c.args, strings.ToUpper(c.does[:1])+c.does[1:]+".")
	if c.more != "" {
		fmt.Fprintf(&b, "\n%s\n", c.more)
	}
	first := true
	c.set().VisitAll(func(f *flag.Flag) {
		if first {
			b.WriteString("\nFlags:\n")
			first = false
		}
		value, text := flag.UnquoteUsage(f)
		if len(choices(f)) > 0 {
			value = strings.Join(choices(f), "|")
		}
		fmt.Fprintf(&b, "  %-34s %s\n", strings.TrimSpace("-"+f.Name+" "+value), text)
	})
	return b.String()
}

func helpFlags(*flag.FlagSet) action {
	return func(_ context.Context, c *call) (int, error) {
		if len(c.args) == 0 {
			_, err := io.WriteString(c.out, overview())
			return 0, err
		}
		cmd := lookUp(c.args[0])
		if cmd == nil || len(c.args) > 1 {
			return 0, usagef("there is no command %q", strings.Join(c.args, " "))
		}
		_, err := io.WriteString(c.out, cmd.help())
		return 0, err
	}
}

func versionFlags(*flag.FlagSet) action {
	return func(_ context.Context, c *call) (int, error) {
		if len(c.args) > 0 {
			return 0, usagef("version takes no argument")
		}
		v := "unknown"
		if info, ok := debug.ReadBuildInfo(); ok {
			v = info.Main.Version
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" && v == "(devel)" {
					v = s.Value
				}
			}
		}
		_, err := fmt.Fprintln(c.out, "pades", v, runtime.Version())
		return 0, err
	}
}

// choice is a flag with few possible values.
type choice struct {
	value   *string
	allowed []string
}

func (c choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

func (c choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("it can be %s", strings.Join(c.allowed, ", "))
	}
	*c.value = s
	return nil
}

func choices(f *flag.Flag) []string {
	c, _ := f.Value.(choice)
	return c.allowed
}

func takesValue(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ", ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
