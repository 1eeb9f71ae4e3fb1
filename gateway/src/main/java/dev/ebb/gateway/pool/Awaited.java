package dev.ebb.gateway.pool;

import org.jspecify.annotations.Nullable;

/**
 * What a compute is to answer, in the order in which it was asked: an answer of its own for each
 * message of the extended protocol, and ReadyForQuery for a Sync, a simple query or a function
 * call. PostgreSQL's "Message Flow" chapter is the source.
 *
 * @param kind of the message that was sent
 * @param hidden whether the client did not ask for it and must not see the answer
 * @param statement that a Parse prepares under its own name, or that a Close lets go
 * @param clientName the name that the client's Parse gives, or its Close takes
 * @param before what had the client's name until then
 * @param unnamedBefore the client's unnamed statement until then, where this ends it
 * @param own who takes the answer in the client's place
 */
record Awaited(
    Kind kind,
    boolean hidden,
    @Nullable Prepared statement,
    @Nullable String clientName,
    @Nullable Prepared before,
    @Nullable Unnamed unnamedBefore,
    @Nullable OwnQuery own) {

  enum Kind {
    PARSE,
    BIND,
    DESCRIBE,
    EXECUTE,
    CLOSE,
    SYNC,
    QUERY,
    FUNCTION,
    /** Nothing is asked of the compute: ParseComplete or CloseComplete is put in here. */
    PARSE_KNOWN,
    CLOSE_KNOWN,
    /** Nothing is answered: here the client ended what it would copy in. */
    COPY_END;

    /** Whether the compute has no part in it. */
    boolean isOwn() {
      return this == PARSE_KNOWN || this == CLOSE_KNOWN || this == COPY_END;
    }

    /**
     * Whether the answer may have a message of this type in it. Errors, notices, notifications and
     * changed parameters may come at any time, and ReadyForQuery is counted.
     */
    boolean allows(byte type) {
      return switch (this) {
        case PARSE -> type == '1';
        case BIND -> type == '2';
        case CLOSE -> type == '3';
        case DESCRIBE -> type == 't' || type == 'T' || type == 'n';
        case EXECUTE -> isOfExecution(type) || type == 's';
        case QUERY -> isOfExecution(type) || type == 'T';
        case FUNCTION -> type == 'V';
        case SYNC, PARSE_KNOWN, CLOSE_KNOWN, COPY_END -> false;
      };
    }

    private static boolean isOfExecution(byte type) {
      return switch (type) {
        case 'D', 'C', 'I', 'G', 'H', 'd', 'c' -> true;
        default -> false;
      };
    }

    /** Whether it ends with ReadyForQuery. */
    boolean endsReady() {
      return this == SYNC || this == QUERY || this == FUNCTION;
    }
  }

  static final Awaited BIND = plain(Kind.BIND);
  static final Awaited DESCRIBE = plain(Kind.DESCRIBE);
  static final Awaited EXECUTE = plain(Kind.EXECUTE);
  static final Awaited CLOSE = plain(Kind.CLOSE);
  static final Awaited SYNC = plain(Kind.SYNC);
  static final Awaited QUERY = plain(Kind.QUERY);
  static final Awaited FUNCTION = plain(Kind.FUNCTION);

  static final Awaited COPY_END = plain(Kind.COPY_END);

  /** Of the unnamed statement. */
  static final Awaited PARSE_UNNAMED = plain(Kind.PARSE);

  static final Awaited HIDDEN_PARSE_UNNAMED =
      new Awaited(Kind.PARSE, true, null, null, null, null, null);
  static final Awaited HIDDEN_CLOSE_UNNAMED =
      new Awaited(Kind.CLOSE, true, null, null, null, null, null);
  static final Awaited HIDDEN_SYNC = new Awaited(Kind.SYNC, true, null, null, null, null, null);

  private static Awaited plain(Kind kind) {
    return new Awaited(kind, false, null, null, null, null, null);
  }

  /** A client's Parse under a name. */
  static Awaited parse(Prepared statement, String clientName) {
    return new Awaited(Kind.PARSE, false, statement, clientName, null, null, null);
  }

  /** A statement prepared on behalf of what follows. */
  static Awaited hiddenParse(Prepared statement) {
    return new Awaited(Kind.PARSE, true, statement, null, null, null, null);
  }

  /** A statement let go, so that there is room or it can be prepared anew. */
  static Awaited hiddenClose(Prepared statement) {
    return new Awaited(Kind.CLOSE, true, statement, null, null, null, null);
  }

  static Awaited parseKnown(Prepared statement, String clientName) {
    return new Awaited(Kind.PARSE_KNOWN, false, statement, clientName, null, null, null);
  }

  static Awaited closeKnown(String clientName, @Nullable Prepared before) {
    return new Awaited(Kind.CLOSE_KNOWN, false, null, clientName, before, null, null);
  }

  /** A message that ends the client's unnamed statement. */
  static Awaited ends(Awaited plain, @Nullable Unnamed before) {
    return before == null
        ? plain
        : new Awaited(plain.kind(), false, null, null, null, before, null);
  }

  static Awaited own(OwnQuery query) {
    return new Awaited(Kind.QUERY, true, null, null, null, null, query);
  }
}
