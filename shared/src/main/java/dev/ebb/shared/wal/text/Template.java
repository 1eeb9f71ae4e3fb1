package dev.ebb.shared.wal.text;

import dev.ebb.shared.wal.WalException;
import java.util.ArrayList;
import java.util.List;

/**
 * A description with holes: text, and between braces what is filled in: a kind, the offset in the
 * main data, and what else the kind wants ({@code off: {u2 0}, flags: 0x{x1 2}}).
 */
final class Template {
  private final List<Part> parts;

  /** Something that tells of a record. */
  @FunctionalInterface
  interface Part {
    void append(Fields main, StringBuilder text) throws WalException;
  }

  private Template(List<Part> parts) {
    this.parts = parts;
  }

  void append(Fields main, StringBuilder text) throws WalException {
    for (Part part : parts) {
      part.append(main, text);
    }
  }

  static Template parse(String template) {
    List<Part> parts = new ArrayList<>();
    int at = 0;
    while (at < template.length()) {
      int open = template.indexOf('{', at);
      int end = open < 0 ? template.length() : open;
      if (end > at) {
        String literal = template.substring(at, end);
        parts.add((main, text) -> text.append(literal));
      }
      at = end;
      if (open >= 0) {
        int close = template.indexOf('}', open);
        parts.add(hole(template.substring(open + 1, close).split(" ", -1)));
        at = close + 1;
      }
    }
    return new Template(List.copyOf(parts));
  }

  private static Part hole(String[] words) {
    int at = words.length > 1 ? Integer.parseInt(words[1]) : 0;
    return switch (words[0]) {
      case "u1" -> (main, text) -> text.append(main.u1(at));
      case "d1" -> (main, text) -> text.append((byte) main.u1(at));
      case "u2" -> (main, text) -> text.append(main.u2(at));
      case "u4" -> (main, text) -> text.append(main.u4(at));
      case "d4" -> (main, text) -> text.append(main.d4(at));
      case "d8" -> (main, text) -> text.append(main.d8(at));
      case "x1" -> (main, text) -> Numbers.hex(text, main.u1(at));
      case "g" -> (main, text) -> Numbers.real(text, Double.longBitsToDouble(main.d8(at)));
      case "bool" -> (main, text) -> text.append(main.bool(at) ? words[2] : words[3]);
      case "if" -> (main, text) -> text.append(main.bool(at) ? " (" + words[2] + ")" : "");
      case "bit" -> {
        int bit = Integer.parseInt(words[2]);
        yield (main, text) -> text.append((main.u1(at) & bit) != 0 ? 'T' : 'F');
      }
      case "lsn" -> (main, text) -> Numbers.lsn(text, main.d8(at));
      case "full" -> (main, text) -> text.append(main.u4(at + 4)).append(':').append(main.u4(at));
      case "relation" ->
          (main, text) ->
              text.append(main.u4(at))
                  .append('/')
                  .append(main.u4(at + 4))
                  .append('/')
                  .append(main.u4(at + 8));
      case "tuple" ->
          (main, text) -> text.append(main.blockNumber(at)).append('/').append(main.u2(at + 4));
      case "time" -> (main, text) -> Numbers.time(text, main.d8(at));
      case "text" -> (main, text) -> text.append(main.text(at));
      case "list" -> {
        int from = Integer.parseInt(words[2]);
        yield (main, text) ->
            Lists.of(main, text, main.u4(at), from, 4, i -> text.append(main.u4(i)));
      }
      default -> named(words[0], at);
    };
  }

  private static Part named(String name, int at) {
    return switch (name) {
      case "infobits" -> HeapParts.infoBits(at);
      case "oldinfobits" -> HeapParts.oldInfoBits(at);
      case "truncate" -> HeapParts.truncateFlags(at);
      case "oldtruncate" -> HeapParts.oldTruncate();
      case "prune17" -> HeapParts::prune17;
      case "prune16" -> HeapParts::prune16;
      case "vacuum16" -> HeapParts::vacuum16;
      case "freeze16" -> HeapParts::freeze16;
      case "inserted" -> HeapParts::inserted;
      case "btdeleted" -> IndexParts.btreeDeleted(at);
      case "btcleanup" -> IndexParts::btreeCleanup;
      case "gininsert" -> IndexParts::ginInsert;
      case "ginvacuum" -> IndexParts::ginVacuum;
      case "level" -> SystemParts.walLevel(at);
      case "databases" -> SystemParts::droppedDatabase;
      case "members" -> SystemParts::multiXactMembers;
      case "file" -> SystemParts.file(at, false);
      case "fork" -> SystemParts.file(at, true);
      case "locks" -> SystemParts::locks;
      case "running" -> SystemParts::running;
      case "invalidations" -> SystemParts.invalidations(at);
      case "message" -> SystemParts::message;
      case "regions" -> SystemParts::regions;
      case "commit" -> TransactionParts::commit;
      case "abort" -> TransactionParts::abort;
      case "prepare" -> TransactionParts::prepare;
      case "assignment" -> TransactionParts::assignment;
      case "invalidated" -> TransactionParts::invalidated;
      default -> throw new IllegalArgumentException("no part is called " + name);
    };
  }
}
