#pragma once
// Standard output and standard error of a tool: writes that notice a closed or full output, and what the terminal can
// show.

#include <stdexcept>
#include <string>
#include <string_view>

namespace translator {

/// The reader of standard output went away (`| head`): the tool ends without a word.
struct OutputClosed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Writes to standard output. Throws OutputClosed when the reader has gone, std::system_error when writing fails.
void print(std::string_view text);
void print_line(std::string_view text = {});
/// print() keeps output back until a line ends on a terminal, or a buffer is full elsewhere; this writes what is left.
void flush_output();

/// One line on standard error, beginning with the tool's name; line breaks within are escaped.
void print_error(std::string_view message);
void print_warning(std::string_view message);

/// True when standard output is a terminal that understands cursor movement and has room for it: not with TERM=dumb,
/// NO_COLOR or fewer than 40 columns.
bool output_is_rich();
/// Columns of the terminal behind standard output; 80 where there is none.
int output_columns();

/// How the user called this tool, and a file of it, so that a suggested command works where it is typed: as they were
/// given, but whole paths where the tool was called by its whole path (from a build system, in another folder).
std::string program_text();
std::string file_text(const std::string& path);

/// "1,234,567"
std::string grouped(long long number);
/// "1 line", "1,234 lines"
std::string counted(long long number, std::string_view thing);
/// A number with this many decimals and a point, whatever the locale.
std::string fixed(double number, int decimals);

}  // namespace translator
