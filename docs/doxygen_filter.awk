# What Doxygen reads in place of a header. Our comments are plain //; this marks those that are documentation:
#
#   the block that a file opens with        /** … */, and \file in the place of #pragma once
#   a block directly above a declaration    /** … */
#   a comment behind a member or a value    ///<
#
# Comments inside functions stay as they are. Every line stays where it is, so that Doxygen's messages name the right
# one. A comment line that is indented by more than a sentence's one space is a formula, a table or a drawing and is
# kept as it stands; all else is prose, whose characters mean themselves, but for `code`. The inline namespace is left
# out.

# `text` with its first separator, third and so on replaced by `odd`, the others by `even`.
function rejoined(text, separator, odd, even,    n, parts, i, result) {
  n = split(text, parts, separator)
  result = parts[1]
  for (i = 2; i <= n; ++i) result = result (i % 2 == 0 ? odd : even) parts[i]
  return result
}

function prose(text,    quotes) {
  text = rejoined(text, "\\\\", "\\\\", "\\\\")
  gsub(/&/, "\\&amp;", text)
  gsub(/</, "\\&lt;", text)
  gsub(/>/, "\\&gt;", text)
  gsub(/@/, "\\@", text)
  gsub(/#/, "\\#", text)
  gsub(/%/, "\\%", text)
  gsub(/"/, "\\\"", text)
  quotes = text
  return gsub(/`/, "", quotes) % 2 == 0 ? rejoined(text, "`", "<code>", "</code>") : text
}

function comment_text(line) {
  sub(/^ *\/\//, "", line)
  sub(/[ \t]+$/, "", line)
  return line
}

# Whether line i of the block held is drawn; an empty line between two that are is drawn with them.
function is_drawn(i,    next_one) {
  if (comment_text(held[i]) ~ /^   /) return 1
  if (comment_text(held[i]) != "" || i == 1) return 0
  for (next_one = i; next_one <= held_count && comment_text(held[next_one]) == ""; ++next_one) {}
  return comment_text(held[i - 1]) ~ /^   / && next_one <= held_count && comment_text(held[next_one]) ~ /^   /
}

# The block held: as documentation with this at its end, or as it is where that is empty.
function release(end,    i, text) {
  for (i = 1; i <= held_count; ++i) {
    if (end == "") {
      print held[i]
      continue
    }
    text = comment_text(held[i])
    gsub(/\*\//, "* /", text)
    if (is_drawn(i))
      text = (i == 1 ? " \\verbatim" : "") text (i == held_count || !is_drawn(i + 1) ? " \\endverbatim" : "")
    else
      text = prose(text) (i < held_count && is_drawn(i + 1) ? " \\verbatim" : "")
    print (i == 1 ? "/**" : "") text (i == held_count ? end : "")
  }
  held_count = 0
}

# The line without literals, so that what is left of it is code and perhaps a comment at its end.
function bare(line) {
  gsub(/\\\\/, "", line)
  gsub(/\\["']/, "", line)
  gsub(/"[^"]*"/, "\"\"", line)
  gsub(/'[^']*'/, "0", line)
  return line
}

# What a brace after this statement opens: the last of its keywords has a name behind it where it is a definition, and
# stands in the brackets of a template where it is not.
function opens(statement,    kind, rest) {
  if (statement !~ /(^|[^a-zA-Z0-9_])(namespace|class|struct|union|enum) /) return "code"
  kind = statement ~ /(^|[^a-zA-Z0-9_])enum / ? "enum" : "declarations"
  rest = statement
  while (match(rest, /(^|[^a-zA-Z0-9_])(namespace|class|struct|union|enum) /)) rest = substr(rest, RSTART + RLENGTH)
  return rest ~ /[()=]/ || rest ~ /^[^<]*>/ ? "code" : kind
}

# Follows the braces of one line of code.
function follow(code,    i, c) {
  for (i = 1; i <= length(code); ++i) {
    c = substr(code, i, 1)
    if (c == "{") {
      ++depth
      holds[depth] = holds[depth - 1] == "code" ? "code" : opens(statement)
      statement = ""
    } else if (c == "}") {
      if (depth > 0) --depth
      statement = ""
    } else if (c == ";") {
      statement = ""
    } else {
      statement = statement c
    }
  }
  statement = code ~ /^ *(public|private|protected): *$/ ? "" : statement " "
}

BEGIN {
  opening = 1
  depth = held_count = 0
  holds[0] = "declarations"
}

{
  sub(/imu2music::inline v0/, "imu2music")
  is_comment = $0 ~ /^ *\/\//
}

# The file's own block, and what ends it.
opening && is_comment { held[++held_count] = $0; next }
opening {
  opening = 0
  if ($0 ~ /^#pragma once/ && held_count > 0) {
    release("\n\\file */")
    next
  }
  release(" */")
}

is_comment {
  match($0, /^ */)
  if (behind > 0 && RLENGTH + 1 == behind) {  # goes on with the comment at the end of the line above
    print substr($0, 1, RLENGTH) "///<" prose(comment_text($0))
    next
  }
  held[++held_count] = $0
  next
}

{
  declares = holds[depth] != "code" && $0 !~ /^ *$/ && $0 !~ /^ *[#}]/ && $0 !~ /^ *(public|private|protected):/
  release(declares && statement ~ /^ *$/ ? " */" : "")
  behind = 0
  code = $0
  if ($0 !~ /^ *#/) {
    code = bare($0)
    at = index(code, "//")
    if (at > 0) code = substr(code, 1, at - 1)
    was = depth
    follow(code)
    # A comment behind a whole declaration: a member's, a value's, or that of a function of one line.
    if (at > 0 && was == depth && holds[depth] != "code" && (holds[depth] == "enum" || code ~ /[;}] *$/)) {
      place = match($0, /[;,}a-zA-Z0-9_)] +\/\//) + RLENGTH - 2
      if (RSTART > 0 && substr($0, place + 2) !~ /\/\//) {
        print substr($0, 1, place - 1) "///<" prose(substr($0, place + 2))
        behind = place
        next
      }
    }
  }
  print
}

END { release("") }
