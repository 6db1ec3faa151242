# Documents in folders in folders, with owners, viewers and groups of viewers.

actor User {}

actor Group {}

resource Folder {
  roles = ["owner", "viewer"];
  permissions = ["create_document", "view", "own"];
  relations = { parent: Folder };

  "create_document" if "owner";

  # What holds for a folder holds for everything below it.
  "view" if "viewer" or "view" on "parent";
  "own" if "owner" or "own" on "parent";
}

resource Document {
  roles = ["owner", "viewer"];
  permissions = ["read", "write", "share", "change_owner"];
  relations = { folder: Folder };

  "read" if "viewer" or "view" on "folder" or is_public(resource);
  "read" if "owner" or "own" on "folder";
  "write" if "owner" or "own" on "folder";
  "share" if "owner" or "own" on "folder";
  "change_owner" if "owner";
}

has_role(user: User, "viewer", folder: Folder) if
  has_group(user, group) and
  group matches Group and
  has_role(group, "viewer", folder);

has_role(user: User, "viewer", document: Document) if
  has_group(user, group) and
  group matches Group and
  has_role(group, "viewer", document);
