package dev.ebb.launcher.wal;

import dev.ebb.shared.wal.ResourceManager;
import dev.ebb.shared.wal.WalRecord;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Which records are wanted.
 *
 * @param manager the resource manager's name; null for all
 * @param relation null for all
 */
record RecordFilter(@Nullable String manager, @Nullable Relation relation) {
  private static final Pattern RELATION = Pattern.compile("(?:(\\d+)/)?(?:(\\d+)/)?(\\d+)");

  /** A relation file's numbers; 0 for any tablespace or database. */
  record Relation(int tablespace, int database, int number) {}

  /**
   * Reads both.
   *
   * @throws IllegalArgumentException that says what is wrong
   */
  static RecordFilter parse(@Nullable String manager, @Nullable String relation) {
    return new RecordFilter(
        manager == null ? null : manager(manager), relation == null ? null : relation(relation));
  }

  private static String manager(String text) {
    for (ResourceManager manager : ResourceManager.values()) {
      if (manager.toString().equalsIgnoreCase(text)) {
        return manager.toString();
      }
    }
    throw new IllegalArgumentException(
        "--rmgr: there is no resource manager \"%s\"; there are %s"
            .formatted(
                text,
                Arrays.stream(ResourceManager.values())
                    .map(manager -> manager.toString().toLowerCase(Locale.ROOT))
                    .collect(Collectors.joining(", "))));
  }

  /** Null for a name. */
  private static @Nullable Relation relation(String text) {
    Matcher numbers = RELATION.matcher(text);
    if (!numbers.matches()) {
      if (text.isBlank() || text.indexOf('/') >= 0 || Character.isDigit(text.charAt(0))) {
        throw noRelation(text);
      }
      return null;
    }
    try {
      // With one number before the file's it is the database.
      String first = numbers.group(1);
      String second = numbers.group(2);
      return new Relation(
          first != null && second != null ? Integer.parseUnsignedInt(first) : 0,
          second != null
              ? Integer.parseUnsignedInt(second)
              : first != null ? Integer.parseUnsignedInt(first) : 0,
          Integer.parseUnsignedInt(numbers.group(3)));
    } catch (NumberFormatException e) {
      throw noRelation(text);
    }
  }

  private static IllegalArgumentException noRelation(String text) {
    return new IllegalArgumentException(
        "--relation: \"%s\" is neither a relation's file, such as 16384, 5/16384 or 1663/5/16384"
                .formatted(text)
            + " (SELECT pg_relation_filenode('NAME') tells it), nor a name");
  }

  /** The same, of a relation that has been looked up. */
  RecordFilter of(Relation found) {
    return new RecordFilter(manager, found);
  }

  boolean wants(WalRecord record) {
    if (manager != null && !manager.equals(record.resourceManagerName())) {
      return false;
    }
    Relation wanted = relation;
    if (wanted == null) {
      return true;
    }
    for (int i = 0; i < record.blocks(); i++) {
      var relation = record.block(i).relation();
      if (relation.relNumber() == wanted.number()
          && (wanted.database() == 0 || relation.dbOid() == wanted.database())
          && (wanted.tablespace() == 0 || relation.spcOid() == wanted.tablespace())) {
        return true;
      }
    }
    return false;
  }
}
