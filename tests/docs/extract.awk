# awk -v folder=DIR -f extract.awk PAGE.md: writes the ```cpp blocks of a page as programs into DIR.
# A block with main() becomes <page>_<line>.cpp as it is; one that begins with a struct stands at file level of <page>.cpp,
# where structs may have templates. All others become functions of that file: their
# #include lines move to its top; what a reader takes for granted stands in the page, unseen, as
#   <!-- cpp
#   declarations before the next block, inside its function (or at file level after a line "//file")
#   -->
function flush_block(   i) {
  if (body ~ /int main\(/) {
    file = folder "/" page "_" start ".cpp"
    printf "%s", body > file
    close(file)
  } else if (body ~ /^struct /) {
    functions = functions "#line " start + 1 " \"" FILENAME "\"\n" body
  } else {
    count = split(body, lines, "\n")
    code = ""
    for (i = 1; i <= count; ++i)
      if (lines[i] ~ /^#include/) includes = includes lines[i] "\n"; else code = code lines[i] "\n"
    functions = functions file_setup
    functions = functions "void block_" start "() {\n" setup "#line " start + 1 " \"" FILENAME "\"\n" code "}\n"
  }
  setup = file_setup = body = ""
}
BEGIN { state = "text" }
NR == 1 { page = FILENAME; sub(/.*\//, "", page); sub(/\.md$/, "", page) }
state == "text" && /^<!-- cpp$/ { state = "setup"; at_file = 0; next }
state == "text" && /^```cpp$/ { state = "code"; start = NR; next }
state == "setup" && /^-->$/ { state = "text"; next }
state == "setup" && /^\/\/file$/ { at_file = 1; next }
state == "setup" && /^#include/ { includes = includes $0 "\n"; next }
state == "setup" { if (at_file) file_setup = file_setup $0 "\n"; else setup = setup $0 "\n"; next }
state == "code" && /^```$/ { state = "text"; flush_block(); next }
state == "code" { body = body $0 "\n" }
END {
  if (state != "text") { print FILENAME ": block from line " start " does not end" > "/dev/stderr"; exit 1 }
  if (functions != "") {
    file = folder "/" page ".cpp"
    printf "%s%s", includes, functions > file
  }
}
