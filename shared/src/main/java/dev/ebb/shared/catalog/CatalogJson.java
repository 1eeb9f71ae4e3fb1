package dev.ebb.shared.catalog;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;

/**
 * The stored form of the catalog's objects. Written by hand, field by field: it outlives the
 * records. Identities are plain strings, the system identifier an unsigned decimal string (JSON
 * numbers lose digits in many readers), LSNs as PostgreSQL prints them.
 */
final class CatalogJson {
  static final int FORMAT_VERSION = 1;

  private static final ObjectMapper JSON = new ObjectMapper();

  private CatalogJson() {}

  static byte[] encode(BranchHead head) {
    ObjectNode json = JSON.createObjectNode();
    json.put("formatVersion", FORMAT_VERSION)
        .put("branch", head.branch().value())
        .put("database", head.database().value())
        .put("systemIdentifier", Long.toUnsignedString(head.systemIdentifier()))
        .put("generation", head.generation().value())
        .put("manifestKey", head.manifestKey())
        .put("closed", head.closed())
        .put("closedLsn", head.closedLsn().toString())
        .put("dropped", head.dropped());
    return bytes(json);
  }

  static BranchHead decodeHead(String key, byte[] content) {
    var in = new Fields(key, content);
    return in.guarded(() ->
        new BranchHead(
            FORMAT_VERSION,
            new BranchId(in.text("branch")),
            new DatabaseId(in.text("database")),
            Long.parseUnsignedLong(in.text("systemIdentifier")),
            new Generation(in.number("generation")),
            in.text("manifestKey"),
            in.flag("closed"),
            Lsn.parse(in.text("closedLsn")),
            in.flag("dropped")));
  }

  static byte[] encode(DatabaseRecord database) {
    ObjectNode json = JSON.createObjectNode();
    json.put("formatVersion", FORMAT_VERSION)
        .put("id", database.id().value())
        .put("name", database.name())
        .put("owner", database.owner())
        .put("state", database.state().name())
        .put("createdEpochMs", database.createdEpochMs());
    ObjectNode branches = json.putObject("branches");
    new TreeMap<>(database.branches()).forEach((name, id) -> branches.put(name, id.value()));
    return bytes(json);
  }

  static DatabaseRecord decodeDatabase(String key, byte[] content) {
    var in = new Fields(key, content);
    return in.guarded(() -> {
      var branches = new TreeMap<String, BranchId>();
      for (Map.Entry<String, JsonNode> branch : in.node("branches").properties()) {
        branches.put(branch.getKey(), new BranchId(branch.getValue().asText()));
      }
      return new DatabaseRecord(
          FORMAT_VERSION,
          new DatabaseId(in.text("id")),
          in.text("name"),
          in.text("owner"),
          DatabaseRecord.State.valueOf(in.text("state")),
          in.number("createdEpochMs"),
          Map.copyOf(branches));
    });
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

    Fields(String key, byte[] content) {
      this.key = key;
      try {
        this.json = JSON.readTree(content);
      } catch (IOException e) {
        throw new EbbException.Corrupt(key + " is not JSON", e);
      }
      long version = number("formatVersion");
      if (version > FORMAT_VERSION) {
        throw new EbbException.Unavailable(
            key
                + " has format "
                + version
                + "; this Ebb knows formats up to "
                + FORMAT_VERSION
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

    long number(String field) {
      JsonNode value = json.get(field);
      if (value == null || !value.isIntegralNumber() || !value.canConvertToLong()) {
        throw wrong(field);
      }
      return value.longValue();
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
