# Rules that differ in one literal, or in two, and walks along relations that differ so.
actor User {}
resource Doc {
  permissions = ["read", "write", "mark", "copy", "send"];
  roles = ["reader", "writer", "owner"];
  relations = { parent: Doc, folder: Doc, side: Doc };
  "read" if "reader"; "read" if "writer"; "read" if "owner";
  "write" if "writer"; "write" if "owner";
}
declare tag(Doc, String, String);
has_permission(_: User, "mark", d: Doc) if tag(d, "a", "x");
has_permission(_: User, "mark", d: Doc) if tag(d, "b", "x");
has_permission(_: User, "mark", d: Doc) if tag(d, "a", "y");
over(d: Doc, u: User) if has_role(u, "owner", d);
over(d: Doc, u: User) if has_relation(d, "parent", e) and over(e, u);
over(d: Doc, u: User) if has_relation(d, "folder", e) and over(e, u);
beside(d: Doc, u: User) if has_role(u, "owner", d);
beside(d: Doc, u: User) if has_relation(d, "parent", e) and beside(e, u);
beside(d: Doc, u: User) if has_relation(d, "side", e) and beside(e, u);
has_permission(u: User, "copy", d: Doc) if over(d, u);
has_permission(u: User, "send", d: Doc) if beside(d, u);
#+ has_role(User:r, "reader", Doc:top)
#+ has_role(User:r, "writer", Doc:top)
#+ has_role(User:w, "writer", Doc:top)
#+ has_role(User:o, "owner", Doc:top)
#+ tag(Doc:ax, "a", "x")
#+ tag(Doc:bx, "b", "x")
#+ tag(Doc:ay, "a", "y")
#+ tag(Doc:by, "b", "y")
#+ has_relation(Doc:low, "parent", Doc:top)
#+ has_relation(Doc:ax, "folder", Doc:low)
#+ has_relation(Doc:bx, "side", Doc:low)
