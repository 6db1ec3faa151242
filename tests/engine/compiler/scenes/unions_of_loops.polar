# Loops that go the same ways, or almost: united only if they do.
actor User {}
resource Doc { permissions = ["read", "edit", "copy"]; roles = ["a", "b", "c"]; relations = { up: Doc, side: Doc };
  "a" if "a" on "up"; "b" if "b" on "up"; "c" if "c" on "side"; "read" if "a"; "read" if "b"; "edit" if "a"; "edit" if "c"; "copy" if "b" on "side" or "a" on "side"; }
declare bad(Doc);
has_role(u: User, "b", d: Doc) if has_role(u, "c", d) and not bad(d);
#+ has_role(User:u, "a", Doc:x)
#+ has_role(User:v, "b", Doc:x)
#+ has_role(User:w, "c", Doc:x)
#+ has_relation(Doc:y, "up", Doc:x)
#+ has_relation(Doc:z, "side", Doc:y)
#+ has_relation(Doc:z, "up", Doc:x)
#+ has_relation(Doc:x, "side", Doc:z)
#+ has_relation(Doc:x, "up", Doc:y)
#+ bad(Doc:z)
