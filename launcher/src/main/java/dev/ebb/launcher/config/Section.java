package dev.ebb.launcher.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One section of the configuration while it is read. Every question for a key makes the key known;
 * what is wrong goes onto the list of violations and the default takes its place, so that reading
 * goes on. {@link #finish} reports the keys that nobody asked for.
 */
final class Section {
  private final String path;
  private final ObjectNode node;
  private final List<String> violations;
  private final Map<String, String> origins;
  private final TreeSet<String> known = new TreeSet<>();
  private final List<Section> children = new ArrayList<>();

  /**
   * @param origins of values that do not come from the file, by path: the name of the flag
   */
  Section(String path, ObjectNode node, List<String> violations, Map<String, String> origins) {
    this.path = path;
    this.node = node;
    this.violations = violations;
    this.origins = origins;
  }

  Section section(String key) {
    JsonNode child = value(key);
    ObjectNode object;
    if (child == null) {
      object = JsonNodeFactory.instance.objectNode();
    } else if (child instanceof ObjectNode found) {
      object = found;
    } else {
      violate(key, "expected a section with keys of its own");
      object = JsonNodeFactory.instance.objectNode();
    }
    var section = new Section(pathOf(key), object, violations, origins);
    children.add(section);
    return section;
  }

  /** The keys that are there, where they are free: each is that of a section. */
  List<String> names() {
    List<String> names = new ArrayList<>();
    node.fieldNames().forEachRemaining(names::add);
    return names;
  }

  boolean has(String key) {
    return value(key) != null;
  }

  @Nullable String text(String key) {
    JsonNode found = value(key);
    if (found == null) {
      return null;
    }
    if (!found.isValueNode()) {
      violate(key, "expected a text");
      return null;
    }
    return found.asText();
  }

  String text(String key, String otherwise) {
    String found = text(key);
    if (found != null && found.isBlank()) {
      violate(key, "is empty");
      return otherwise;
    }
    return found == null ? otherwise : found;
  }

  /** A text that must be there. */
  String required(String key) {
    if (!has(key)) {
      violate(key, "is missing");
      return "";
    }
    return text(key, "");
  }

  int integer(String key, int otherwise, int min, int max) {
    String found = text(key);
    if (found == null) {
      return otherwise;
    }
    try {
      int number = Integer.parseInt(found.strip());
      if (number >= min && number <= max) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Told below, together with numbers out of range.
    }
    violate(key, "\"" + found + "\" is not a whole number from " + min + " to " + max);
    return otherwise;
  }

  boolean truth(String key, boolean otherwise) {
    String found = text(key);
    if (found == null) {
      return otherwise;
    }
    if ("true".equals(found) || "false".equals(found)) {
      return "true".equals(found);
    }
    violate(key, "\"" + found + "\" is neither true nor false");
    return otherwise;
  }

  long bytes(String key, long otherwise, long min, long max) {
    long found = bytes(key, otherwise, min);
    if (found > max) {
      violate(key, text(key) + " is too large: at most " + Quantities.formatBytes(max));
      return otherwise;
    }
    return found;
  }

  long bytes(String key, long otherwise, long min) {
    String found = text(key);
    if (found == null) {
      return otherwise;
    }
    Optional<Long> size = Quantities.parseBytes(found);
    if (size.isEmpty()) {
      violate(key, "\"" + found + "\" is not a size such as 256MB or 2GB");
      return otherwise;
    }
    if (size.get() < min) {
      violate(key, found + " is too small: at least " + Quantities.formatBytes(min));
      return otherwise;
    }
    return size.get();
  }

  Duration duration(String key, Duration otherwise) {
    String found = text(key);
    if (found == null) {
      return otherwise;
    }
    Optional<Duration> duration = Quantities.parseDuration(found);
    if (duration.isEmpty()) {
      violate(key, "\"" + found + "\" is not a duration such as 30s, 5m or 2h (0: never)");
    }
    return duration.orElse(otherwise);
  }

  /** A number in a time, {@code 120/m}; {@code 0} for no limit. */
  EbbConfig.Rate rate(String key, String otherwise) {
    EbbConfig.Rate defaults = Quantities.parseRate(otherwise).orElseThrow();
    String found = text(key);
    if (found == null) {
      return defaults;
    }
    Optional<EbbConfig.Rate> rate = Quantities.parseRate(found);
    if (rate.isEmpty()) {
      violate(key, "\"" + found + "\" is not a rate such as 20/s, 120/m or 600/h (0: no limit)");
    }
    return rate.orElse(defaults);
  }

  @Nullable Path path(String key) {
    String found = text(key);
    if (found == null) {
      return null;
    }
    try {
      if (!found.isBlank()) {
        return Path.of(found).toAbsolutePath().normalize();
      }
    } catch (InvalidPathException e) {
      // Told below.
    }
    violate(key, "\"" + found + "\" is not a path");
    return null;
  }

  /** A list of texts, or one text with commas. */
  List<String> list(String key) {
    JsonNode found = value(key);
    if (found == null) {
      return List.of();
    }
    List<String> items = new ArrayList<>();
    if (found.isArray()) {
      found.forEach(item -> items.add(item.asText()));
    } else if (found.isValueNode()) {
      for (String item : found.asText().split(",", -1)) {
        items.add(item);
      }
    } else {
      violate(key, "expected a list");
    }
    return items.stream().map(String::strip).filter(item -> !item.isEmpty()).toList();
  }

  /** Texts under keys that are free. */
  Map<String, String> map(String key) {
    JsonNode found = value(key);
    Map<String, String> entries = new LinkedHashMap<>();
    if (found instanceof ObjectNode object) {
      object.properties().forEach(entry -> entries.put(entry.getKey(), entry.getValue().asText()));
    } else if (found != null) {
      violate(key, "expected keys with values");
    }
    return entries;
  }

  void violate(String key, String what) {
    String where = pathOf(key);
    String origin = origins.get(where);
    violations.add(where + ": " + what + (origin == null ? "" : " (from " + origin + ")"));
  }

  /** Reports unknown keys of this section and of those below it. */
  void finish() {
    node.fieldNames()
        .forEachRemaining(key -> {
          if (!known.contains(key)) {
            violations.add(
                pathOf(key)
                    + ": no such key"
                    + NearestWord.of(key, known)
                        .map(near -> "; did you mean " + near + "?")
                        .orElse("; known here: " + String.join(", ", known)));
          }
        });
    children.forEach(Section::finish);
  }

  private @Nullable JsonNode value(String key) {
    known.add(key);
    JsonNode found = node.get(key);
    return found == null || found.isNull() ? null : found;
  }

  private String pathOf(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }
}
