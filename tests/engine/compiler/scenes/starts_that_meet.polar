# Walks that begin at several values and meet further up, whole or without what an earlier one came to.
actor User {}
resource Folder { roles = ["owner"]; relations = { parent: Folder }; "owner" if "owner" on "parent"; }
resource Doc {
  permissions = ["read"];
  relations = { folder: Folder };
  "read" if "owner" on "folder";
}
#+ has_relation(Doc:both, "folder", Folder:left)
#+ has_relation(Doc:both, "folder", Folder:right)
#+ has_relation(Doc:later, "folder", Folder:right)
#+ has_relation(Folder:left, "parent", Folder:top)
#+ has_relation(Folder:right, "parent", Folder:top)
#+ has_relation(Folder:top, "parent", Folder:left)
#+ has_role(User:u, "owner", Folder:top)
#+ has_role(User:aside, "owner", Folder:elsewhere)
