package dev.ebb.walservice.protocol;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Parses replication commands. Grammar: {@code src/backend/replication/repl_gram.y}; words: {@code
 * repl_scanner.l}. As there, keywords are upper case, unquoted names are folded to lower case, and
 * what begins with no keyword is SQL, which a physical WAL sender does not execute. Throws {@link
 * SqlError} only.
 */
public final class CommandParser {
  private static final Set<String> COMMANDS =
      Set.of(
          "IDENTIFY_SYSTEM",
          "READ_REPLICATION_SLOT",
          "SHOW",
          "START_REPLICATION",
          "TIMELINE_HISTORY",
          "CREATE_REPLICATION_SLOT",
          "DROP_REPLICATION_SLOT",
          "ALTER_REPLICATION_SLOT",
          "BASE_BACKUP",
          "UPLOAD_MANIFEST");

  private static final long MAX_TIMELINE = 0xFFFFFFFFL;

  private final Words words;

  private CommandParser(String text) {
    words = new Words(text);
  }

  /** The command; {@link SqlError} with 42601 where it is malformed. */
  public static ReplicationCommand parse(String text) {
    return new CommandParser(text).command();
  }

  private ReplicationCommand command() {
    Words.Word first = words.next();
    if (first.kind() == Words.Kind.END || first.isSign(';')) {
      return new ReplicationCommand.Empty();
    }
    if (first.kind() != Words.Kind.WORD || !COMMANDS.contains(first.text())) {
      throw SqlError.error(
              SqlError.FEATURE_NOT_SUPPORTED,
              "cannot execute SQL commands in WAL sender for physical replication")
          .withHint("This is Ebb's WAL sender; SQL is answered by the gateway.");
    }
    return switch (first.text()) {
      case "IDENTIFY_SYSTEM" -> ended(new ReplicationCommand.IdentifySystem());
      case "READ_REPLICATION_SLOT" ->
          ended(new ReplicationCommand.ReadReplicationSlot(identifier()));
      case "SHOW" -> ended(new ReplicationCommand.Show(setting()));
      case "START_REPLICATION" -> startReplication();
      case "TIMELINE_HISTORY" -> timelineHistory();
      case "CREATE_REPLICATION_SLOT" -> createSlot();
      case "DROP_REPLICATION_SLOT" -> dropSlot();
      default -> new ReplicationCommand.Unsupported(first.text());
    };
  }

  /** A setting's name, perhaps with its prefix. */
  private String setting() {
    var name = new StringBuilder(identifier());
    while (words.skipSign('.')) {
      name.append('.').append(identifier());
    }
    return name.toString();
  }

  private ReplicationCommand startReplication() {
    String slot = words.skipWord("SLOT") ? identifier() : null;
    if (words.skipWord("LOGICAL")) {
      throw SqlError.error(
          SqlError.FEATURE_NOT_SUPPORTED,
          "logical replication is not available here: subscribe through the gateway");
    }
    words.skipWord("PHYSICAL");
    Lsn start = lsn();
    long timeline = 0;
    if (words.skipWord("TIMELINE")) {
      timeline = timeline();
    }
    return ended(new ReplicationCommand.StartPhysical(slot, start, timeline));
  }

  private Lsn lsn() {
    Words.Word word = words.next();
    if (word.kind() == Words.Kind.LSN) {
      return Lsn.parse(word.text());
    }
    throw syntax(word);
  }

  private ReplicationCommand timelineHistory() {
    return ended(new ReplicationCommand.TimelineHistory(timeline()));
  }

  private long timeline() {
    Words.Word word = words.next();
    if (word.kind() != Words.Kind.NUMBER) {
      throw syntax(word);
    }
    // Ten digits at most have room in a long.
    long timeline = word.text().length() > 10 ? Long.MAX_VALUE : Long.parseLong(word.text());
    if (timeline < 1 || timeline > MAX_TIMELINE) {
      throw SqlError.error(
          SqlError.SYNTAX_ERROR, "invalid timeline " + Names.printable(word.text()));
    }
    return timeline;
  }

  private ReplicationCommand createSlot() {
    String slot = identifier();
    boolean temporary = words.skipWord("TEMPORARY");
    if (words.skipWord("LOGICAL")) {
      return new ReplicationCommand.CreateSlot(slot, temporary, false);
    }
    Words.Word kind = words.next();
    if (!kind.isWord("PHYSICAL")) {
      throw syntax(kind);
    }
    if (words.skipSign('(')) {
      options();
    } else {
      words.skipWord("RESERVE_WAL");
    }
    return ended(new ReplicationCommand.CreateSlot(slot, temporary, true));
  }

  /** What a slot's options say makes no difference here: WAL is kept by the log. */
  private void options() {
    while (true) {
      Words.Word word = words.next();
      if (word.isSign(')')) {
        return;
      }
      if (word.kind() == Words.Kind.END) {
        throw syntax(word);
      }
    }
  }

  private ReplicationCommand dropSlot() {
    String slot = identifier();
    words.skipWord("WAIT");
    return ended(new ReplicationCommand.DropSlot(slot));
  }

  private String identifier() {
    Words.Word word = words.next();
    return switch (word.kind()) {
      case WORD -> word.text().toLowerCase(Locale.ROOT);
      case QUOTED -> word.text();
      case LSN, NUMBER, STRING, SIGN, END -> throw syntax(word);
    };
  }

  private ReplicationCommand ended(ReplicationCommand command) {
    words.skipSign(';');
    Words.Word rest = words.next();
    if (rest.kind() != Words.Kind.END) {
      throw syntax(rest);
    }
    return command;
  }

  private static SqlError syntax(Words.@Nullable Word at) {
    return SqlError.error(
        SqlError.SYNTAX_ERROR,
        at == null || at.kind() == Words.Kind.END
            ? "syntax error at end of input"
            : "syntax error at or near \"" + Names.printable(at.text()) + "\"");
  }
}
