# A document store: what people may do follows from how things are related.

# A relation may lead to an actor: the user who stands in for this one during absence.
actor User {
  permissions = ["see_calendar"];
  relations = { deputy: User };

  "see_calendar" if "deputy";
}

resource Folder {
  roles = ["editor", "viewer"];
  permissions = ["list"];
  relations = { owner: User, parent: Folder };

  # A relation gives a role: who owns the folder edits it.
  "editor" if "owner";
  "viewer" if "editor";

  # A role on the parent is the same role here, and so on for every level below.
  role if role on "parent";

  "list" if "viewer";
}

resource Document {
  roles = ["editor", "viewer"];
  permissions = ["read", "comment", "write", "approve", "delete"];
  relations = { owner: User, folder: Folder, reviewer: User };

  "editor" if "owner";
  "viewer" if "editor";
  role if role on "folder";

  "read" if "viewer" or "reviewer";
  "write" if "editor";
  "comment" if "read";

  # A relation used as if it were a role, without any role in between.
  "approve" if "reviewer";
  "delete" if "owner";
  # The owner of the folder may throw out what others put in.
  "delete" if "owner" on "folder";
}

# A relation between two people: the deputy of an owner edits the owner's documents.
has_role(user: User, "editor", document: Document) if
  owner matches User and
  has_relation(document, "owner", owner) and
  has_relation(owner, "deputy", user);
