package dev.ebb.shared.catalog;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Cidr;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.PostgresMajor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * The stored form of the catalog's objects. Written by hand, field by field: it outlives the
 * records. Identities are plain strings, the system identifier an unsigned decimal string (JSON
 * numbers lose digits in many readers), LSNs as PostgreSQL prints them.
 */
final class CatalogJson {
  static final int HEAD_VERSION = 1;

  private static final ObjectMapper JSON = new ObjectMapper();

  private CatalogJson() {}

  static byte[] encode(BranchHead head) {
    ObjectNode json = JSON.createObjectNode();
    json.put("formatVersion", HEAD_VERSION)
        .put("branch", head.branch().value())
        .put("database", head.database().value())
        .put("systemIdentifier", Long.toUnsignedString(head.systemIdentifier()))
        .put("generation", head.generation().value())
        .put("manifestKey", head.manifestKey())
        .put("closed", head.closed())
        .put("closedLsn", head.closedLsn().toString())
        .put("dropped", head.dropped())
        .put("logMade", head.logMade())
        .put("collectedBefore", head.collectedBefore())
        .put("inherits", head.inherits());
    return bytes(json);
  }

  static BranchHead decodeHead(String key, byte[] content) {
    var in = new Fields(key, content, HEAD_VERSION);
    return in.guarded(() ->
        new BranchHead(
            HEAD_VERSION,
            new BranchId(in.text("branch")),
            new DatabaseId(in.text("database")),
            Long.parseUnsignedLong(in.text("systemIdentifier")),
            new Generation(in.number("generation")),
            in.text("manifestKey"),
            in.flag("closed"),
            Lsn.parse(in.text("closedLsn")),
            in.flag("dropped"),
            !in.has("logMade") || in.flag("logMade"),
            in.has("collectedBefore") ? in.number("collectedBefore") : 0,
            in.has("inherits") ? in.flag("inherits") : in.number("generation") == 0));
  }

  static byte[] encode(DatabaseRecord database) {
    ObjectNode json = JSON.createObjectNode();
    json.put(
            "formatVersion",
            database.allowed().isEmpty()
                ? DatabaseRecord.OPEN_FORMAT_VERSION
                : DatabaseRecord.FORMAT_VERSION)
        .put("id", database.id().value())
        .put("name", database.name())
        .put("owner", database.owner())
        .put("state", database.state().name())
        .put("createdEpochMs", database.createdEpochMs())
        .put("postgres", database.postgres().number());
    ObjectNode branches = json.putObject("branches");
    new TreeMap<>(database.branches())
        .forEach((name, branch) -> branches.set(name, branch(branch)));
    if (!database.allowed().isEmpty()) {
      ArrayNode allowed = json.putArray("allowed");
      database.allowed().forEach(block -> allowed.add(block.toString()));
    }
    return bytes(json);
  }

  private static ObjectNode branch(BranchRecord branch) {
    ObjectNode json = JSON.createObjectNode();
    json.put("id", branch.id().value()).put("state", branch.state().name());
    BranchId parent = branch.parent();
    if (parent == null) {
      json.putNull("parent");
    } else {
      json.put("parent", parent.value());
    }
    return json.put("forkLsn", branch.forkLsn().toString())
        .put("createdEpochMs", branch.createdEpochMs())
        .put("protected", branch.isProtected())
        .put("replicas", branch.replicas());
  }

  static DatabaseRecord decodeDatabase(String key, byte[] content) {
    var in = new Fields(key, content, DatabaseRecord.FORMAT_VERSION);
    return in.guarded(() -> {
      long created = in.number("createdEpochMs");
      var branches = new TreeMap<String, BranchRecord>();
      for (Map.Entry<String, JsonNode> branch : in.node("branches").properties()) {
        branches.put(branch.getKey(), decodeBranch(key, branch.getValue(), created));
      }
      List<Cidr> allowed = in.has("allowed") ? in.texts("allowed", Cidr::parse) : List.of();
      return new DatabaseRecord(
          allowed.isEmpty() ? DatabaseRecord.OPEN_FORMAT_VERSION : DatabaseRecord.FORMAT_VERSION,
          new DatabaseId(in.text("id")),
          in.text("name"),
          in.text("owner"),
          DatabaseRecord.State.valueOf(in.text("state")),
          created,
          in.has("postgres")
              ? new PostgresMajor(in.integer("postgres"))
              : DatabaseRecord.FIRST_POSTGRES,
          Map.copyOf(branches),
          allowed);
    });
  }

  /**
   * Version 1 had a branch's id alone, and every branch was a database's first. Before version 4
   * there were no replicas.
   */
  private static BranchRecord decodeBranch(String key, JsonNode json, long databaseCreated) {
    if (json.isTextual()) {
      return BranchRecord.first(new BranchId(json.textValue()), databaseCreated);
    }
    var in = new Fields(key, json);
    JsonNode parent = json.get("parent");
    return new BranchRecord(
        new BranchId(in.text("id")),
        BranchRecord.State.valueOf(in.text("state")),
        parent == null || parent.isNull() ? null : new BranchId(in.text("parent")),
        Lsn.parse(in.text("forkLsn")),
        in.number("createdEpochMs"),
        in.flag("protected"),
        in.has("replicas") ? in.integer("replicas") : 0);
  }

  private static byte[] bytes(ObjectNode json) {
    try {
      return JSON.writeValueAsBytes(json);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The fields of a stored object; one that is missing or of the wrong type is Corrupt. */
  private static final class Fields {
    private final String key;
    private final JsonNode json;

    /** A part of an object. */
    Fields(String key, JsonNode json) {
      this.key = key;
      this.json = json;
    }

    Fields(String key, byte[] content, int newest) {
      this.key = key;
      try {
        this.json = JSON.readTree(content);
      } catch (IOException e) {
        throw new EbbException.Corrupt(key + " is not JSON", e);
      }
      long version = number("formatVersion");
      if (version > newest) {
        throw new EbbException.Unavailable(
            key
                + " has format "
                + version
                + "; this Ebb knows formats up to "
                + newest
                + ": run the newer Ebb that wrote it");
      }
      if (version < 1) {
        throw wrong("formatVersion");
      }
    }

    /** What a value refuses when it is made is Corrupt, too. */
    <T> T guarded(java.util.function.Supplier<T> make) {
      try {
        return make.get();
      } catch (IllegalArgumentException e) {
        throw new EbbException.Corrupt(key + " holds what cannot be: " + e.getMessage(), e);
      }
    }

    boolean has(String field) {
      return json.has(field);
    }

    JsonNode node(String field) {
      JsonNode value = json.get(field);
      if (value == null || !value.isObject()) {
        throw wrong(field);
      }
      return value;
    }

    String text(String field) {
      JsonNode value = json.get(field);
      if (value == null || !value.isTextual()) {
        throw wrong(field);
      }
      return value.textValue();
    }

    <T> List<T> texts(String field, Function<String, T> parse) {
      JsonNode value = json.get(field);
      if (value == null || !value.isArray()) {
        throw wrong(field);
      }
      var parsed = new ArrayList<T>();
      for (JsonNode element : value) {
        if (!element.isTextual()) {
          throw wrong(field);
        }
        parsed.add(parse.apply(element.textValue()));
      }
      return List.copyOf(parsed);
    }

    long number(String field) {
      JsonNode value = json.get(field);
      if (value == null || !value.isIntegralNumber() || !value.canConvertToLong()) {
        throw wrong(field);
      }
      return value.longValue();
    }

    int integer(String field) {
      long value = number(field);
      if (value != (int) value) {
        throw wrong(field);
      }
      return (int) value;
    }

    boolean flag(String field) {
      JsonNode value = json.get(field);
      if (value == null || !value.isBoolean()) {
        throw wrong(field);
      }
      return value.booleanValue();
    }

    private EbbException.Corrupt wrong(String field) {
      return new EbbException.Corrupt(key + " has no usable field \"" + field + "\"");
    }
  }
}
