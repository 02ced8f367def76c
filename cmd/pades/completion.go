package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

func completionFlags(*flag.FlagSet) action {
	return func(_ context.Context, c *call) (int, error) {
		if len(c.args) == 1 {
			if write := map[string]func(*strings.Builder){"bash": bash, "zsh": zsh, "fish": fish}[c.args[0]]; write != nil {
				var b strings.Builder
				write(&b)
				_, err := io.WriteString(c.out, b.String())
				return 0, err
			}
		}
		return 0, usagef("the shells are bash, zsh and fish")
	}
}

func names() string {
	var out []string
	for _, c := range commands {
		out = append(out, c.name)
	}
	return strings.Join(out, " ")
}

func bash(b *strings.Builder) {
	fmt.Fprintf(b, `_pades() {
	local cur=${COMP_WORDS[COMP_CWORD]} flags= words=
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W %q -- "$cur"))
		return
	fi
	case ${COMP_WORDS[1]}:${COMP_WORDS[COMP_CWORD-1]} in
`, names())
	for _, c := range commands {
		c.set().VisitAll(func(f *flag.Flag) {
			switch {
			case len(choices(f)) > 0:
				fmt.Fprintf(b, "\t%s:-%s) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", c.name, f.Name, strings.Join(choices(f), " "))
			case takesValue(f):
				fmt.Fprintf(b, "\t%s:-%s) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", c.name, f.Name)
			}
		})
	}
	b.WriteString("\tesac\n\tcase ${COMP_WORDS[1]} in\n")
	for _, c := range commands {
		var flags []string
		c.set().VisitAll(func(f *flag.Flag) { flags = append(flags, "-"+f.Name) })
		fmt.Fprintf(b, "\t%s) flags=%q words=%q ;;\n", c.name, strings.Join(flags, " "), strings.Join(c.words, " "))
	}
	b.WriteString(`	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$flags" -- "$cur"))
	elif [[ $words ]]; then
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
	else
		compopt -o filenames 2>/dev/null
		local IFS=$'\n'
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}
complete -F _pades pades
`)
}

// inQuotes is a text between single quotes of a shell, without what zsh would read in it.
func inQuotes(s string) string {
	return "'" + strings.NewReplacer("'", "", "[", "(", "]", ")", ":", ";", "`", "").Replace(s) + "'"
}

func zsh(b *strings.Builder) {
	b.WriteString("#compdef pades\n_pades() {\n\tlocal -a commands=(\n")
	for _, c := range commands {
		fmt.Fprintf(b, "\t\t%s:%s\n", c.name, inQuotes(c.does))
	}
	b.WriteString("\t)\n\tif ((CURRENT == 2)); then _describe command commands; return; fi\n\tlocal name=$words[2]\n\tshift words; ((CURRENT--))\n\tcase $name in\n")
	for _, c := range commands {
		fmt.Fprintf(b, "\t%s) _arguments", c.name)
		c.set().VisitAll(func(f *flag.Flag) {
			value := ""
			switch {
			case len(choices(f)) > 0:
				value = ":value:(" + strings.Join(choices(f), " ") + ")"
			case takesValue(f):
				value = ":value:_files"
			}
			_, text := flag.UnquoteUsage(f)
			fmt.Fprintf(b, " \\\n\t\t'-%s['%s']%s'", f.Name, inQuotes(text), value)
		})
		if len(c.words) > 0 {
			fmt.Fprintf(b, " ':word:(%s)' ;;\n", strings.Join(c.words, " "))
		} else {
			b.WriteString(" '*:file:_files' ;;\n")
		}
	}
	b.WriteString("\tesac\n}\ncompdef _pades pades\n")
}

func fish(b *strings.Builder) {
	for _, c := range commands {
		fmt.Fprintf(b, "complete -c pades -n __fish_use_subcommand -f -a %s -d %s\n", c.name, inQuotes(c.does))
		in := "-n '__fish_seen_subcommand_from " + c.name + "'"
		if len(c.words) > 0 {
			fmt.Fprintf(b, "complete -c pades %s -f -a '%s'\n", in, strings.Join(c.words, " "))
		}
		c.set().VisitAll(func(f *flag.Flag) {
			value := ""
			switch {
			case len(choices(f)) > 0:
				value = " -x -a '" + strings.Join(choices(f), " ") + "'"
			case takesValue(f):
				value = " -r"
			}
			_, text := flag.UnquoteUsage(f)
			fmt.Fprintf(b, "complete -c pades %s -o %s%s -d %s\n", in, f.Name, value, inQuotes(text))
		})
	}
}
