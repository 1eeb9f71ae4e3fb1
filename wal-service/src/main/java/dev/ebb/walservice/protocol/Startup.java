package dev.ebb.walservice.protocol;

import dev.ebb.shared.model.StartupOptions;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The first packet of a connection, without its length; see {@code ProcessStartupPacket} in {@code
 * src/backend/tcop/backend_startup.c}.
 */
public sealed interface Startup {
  int SSL_REQUEST = 80877103;
  int GSSENC_REQUEST = 80877104;
  int CANCEL_REQUEST = 80877102;

  /** Longer ones are refused, as PostgreSQL does (MAX_STARTUP_PACKET_LENGTH). */
  int MAX_BYTES = 10_000;

  /** TLS or GSS is asked for, to be answered with one byte. */
  record EncryptionRequest() implements Startup {}

  /** A query is to be cancelled: there are none. */
  record CancelRequest() implements Startup {}

  /**
   * A client that wants to talk.
   *
   * @param minor of the protocol's version 3
   * @param parameters by name, without those of the protocol itself
   * @param unknownOptions names that begin with {@code _pq_.}
   */
  record Connect(int minor, Map<String, String> parameters, List<String> unknownOptions)
      implements Startup {
    private static final Set<String> TRUE = Set.of("true", "on", "yes", "1", "t", "y");
    private static final Set<String> FALSE = Set.of("false", "off", "no", "0", "f", "n", "");

    public String user() {
      return parameters.getOrDefault("user", "");
    }

    public String applicationName() {
      return parameters.getOrDefault("application_name", "");
    }

    /** The settings that it was started with, by name. */
    public Map<String, String> settings() {
      return StartupOptions.parse(parameters.getOrDefault("options", ""));
    }

    /** Throws unless physical replication is asked for. */
    public void requireReplication() {
      String mode = parameters.getOrDefault("replication", "").toLowerCase(Locale.ROOT);
      if (TRUE.contains(mode)) {
        return;
      }
      if (mode.equals("database")) {
        throw SqlError.fatal(
                SqlError.FEATURE_NOT_SUPPORTED, "logical replication is not available here")
            .withHint("This is Ebb's WAL sender; subscribe through the gateway.");
      }
      if (FALSE.contains(mode)) {
        throw SqlError.fatal(
                SqlError.FEATURE_NOT_SUPPORTED,
                "only physical replication connections are answered here")
            .withHint("This is Ebb's WAL sender; connect to the gateway for SQL.");
      }
      throw SqlError.fatal("22023", "invalid value for parameter \"replication\"");
    }
  }

  /** Parses it; {@link SqlError} where it is malformed. */
  static Startup parse(byte[] packet) {
    if (packet.length < Integer.BYTES) {
      throw malformed("invalid length of startup packet");
    }
    ByteBuffer in = ByteBuffer.wrap(packet);
    int code = in.getInt();
    return switch (code) {
      case SSL_REQUEST, GSSENC_REQUEST -> new EncryptionRequest();
      case CANCEL_REQUEST -> new CancelRequest();
      default -> {
        if (code >>> 16 != 3) {
          throw SqlError.fatal(
              SqlError.FEATURE_NOT_SUPPORTED,
              "unsupported frontend protocol "
                  + (code >>> 16)
                  + "."
                  + (code & 0xFFFF)
                  + ": server supports 3.0 to 3.0");
        }
        yield connect(code & 0xFFFF, in);
      }
    };
  }

  private static Connect connect(int minor, ByteBuffer in) {
    var parameters = new LinkedHashMap<String, String>();
    List<String> unknown = new ArrayList<>();
    while (true) {
      String name = text(in);
      if (name.isEmpty()) {
        break;
      }
      String value = text(in);
      if (name.startsWith("_pq_.")) {
        unknown.add(name);
      } else {
        parameters.put(name, value);
      }
    }
    if (in.hasRemaining()) {
      throw malformed("invalid startup packet layout: expected terminator as last byte");
    }
    return new Connect(minor, Map.copyOf(parameters), List.copyOf(unknown));
  }

  private static String text(ByteBuffer in) {
    int start = in.position();
    while (in.hasRemaining()) {
      if (in.get() == 0) {
        ByteBuffer bytes = in.duplicate().position(start).limit(in.position() - 1);
        try {
          return StandardCharsets.UTF_8
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .onUnmappableCharacter(CodingErrorAction.REPORT)
              .decode(bytes)
              .toString();
        } catch (CharacterCodingException e) {
          throw malformed("invalid startup packet: not UTF-8");
        }
      }
    }
    throw malformed("invalid startup packet layout: expected terminator as last byte");
  }

  private static SqlError malformed(String what) {
    return SqlError.fatal(SqlError.PROTOCOL_VIOLATION, what);
  }
}
