# The time is no variable that stands for any Integer; order and equality of Integers.
actor User {}
resource Doc { permissions = ["read", "edit", "copy"]; }
declare until(Doc, Integer);
declare at(User, Doc, Integer);
has_permission(_: User, "read", d: Doc) if until(d, @current_unix_time);
has_permission(_: User, "read", d: Doc) if until(d, n) and n > @current_unix_time and n != 3;
has_permission(u: User, "edit", d: Doc) if at(u, d, n) and until(d, n);
has_permission(u: User, "edit", d: Doc) if at(u, d, n) and until(d, @current_unix_time) and n <= @current_unix_time;
has_permission(u: User, "copy", d: Doc) if at(u, d, n) and n in [-1, 2, 4] and not n < 2;
has_permission(u: User, "copy", d: Doc) if at(u, d, n) and n = k and until(_, k) and not until(d, k);
#+ until(Doc:a, 1)
#+ until(Doc:b, 2)
#+ until(Doc:c, 3)
#+ until(Doc:d, 4)
#+ at(User:u, Doc:a, 4)
#+ at(User:u, Doc:b, -1)
#+ at(User:u, Doc:c, 3)
#+ at(User:u, Doc:d, 2)
#+ at(User:v, Doc:b, 3)
