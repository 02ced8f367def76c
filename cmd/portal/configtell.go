package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"
)

// tellConfig prints the configuration that serve would use, without its secrets, or the
// reference of all variables.
func tellConfig(args []string) int {
	switch {
	case len(args) == 1 && args[0] == "-markdown":
		if err := writeReference(os.Stdout); err != nil {
			return fail(err)
		}
		return 0
	case len(args) > 0:
		fmt.Fprint(os.Stderr, usage)
		return 4
	}
	environ := environment()
	c, err := readConfig(environ)
	group := ""
	for _, v := range variables() {
		if v.group != group {
			group = v.group
			fmt.Printf("\n# %s\n", group)
		}
		fmt.Println(told(c, v, environ))
	}
	if err != nil {
		return fail(fmt.Errorf("the configuration does not hold:\n%w", err))
	}
	return 0
}

// told is one line: the value and where it comes from.
func told(c config, v variable, environ map[string]string) string {
	value := reflect.ValueOf(c).Field(v.field)
	text := fmt.Sprint(value.Interface())
	if value.Kind() == reflect.Slice {
		var all []string
		for i := range value.Len() {
			all = append(all, fmt.Sprint(value.Index(i).Interface()))
		}
		text = strings.Join(all, ",")
	}
	from := ""
	switch {
	case environ[v.name+"_FILE"] != "":
		from = "from " + environ[v.name+"_FILE"]
	case environ[v.name] != "":
	case v.required:
		from = "not set"
	case v.standard != "":
		from = "default"
	}
	if value.Kind() == reflect.String && value.String() == "" {
		text = "" // not even [redacted] where there is nothing
	}
	if from != "" {
		from = "  # " + from
	}
	return v.name + "=" + text + from
}

const referenceHead = `# Configuration

Made by ` + "`make generate`" + ` from cmd/portal/config.go; do not edit it here.

Everything is a variable of the environment. Each may also be given as ` + "`NAME_FILE`" + `, with the path of a file
that holds the value: that is the way for secrets. An empty value counts as not set. Lists are separated by commas,
times carry a unit (` + "`90s`, `15m`, `8h`" + `). All problems are told together when the program starts.

` + "`portal config`" + ` prints what is in force, with secrets as ` + "`[redacted]`; `portal doctor`" + ` tries it out.
`

// writeReference writes docs/configuration.md.
func writeReference(w io.Writer) error {
	text := referenceHead
	group := ""
	for _, v := range variables() {
		if v.group != group {
			group = v.group
			text += "\n## " + group + "\n\n| Variable | Default | Meaning |\n|---|---|---|\n"
		}
		standard := "none"
		switch {
		case v.required:
			standard = "**must be set**"
		case v.standard != "":
			standard = "`" + v.standard + "`"
		}
		if v.unit != "" {
			standard += " " + v.unit
		}
		text += fmt.Sprintf("| `%s` | %s | %s |\n", v.name, standard, v.help+kindOf(v))
	}
	_, err := io.WriteString(w, text)
	return err
}

func kindOf(v variable) string {
	switch t := reflect.TypeFor[config]().Field(v.field).Type; {
	case t == reflect.TypeFor[secret](), t == reflect.TypeFor[address]():
		return " *Secret.*"
	case t == reflect.TypeFor[time.Duration]():
		return " *Time.*"
	case t.Kind() == reflect.Slice:
		return " *List.*"
	}
	return ""
}
