package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Opens a session.
 *
 * @param minorVersion of protocol 3, as the client asked
 * @param parameters by name, in the client's order; without protocol options
 * @param protocolOptions names of the {@code _pq_.} options asked for; Ebb knows none
 */
public record StartupMessage(
    int minorVersion, Map<String, String> parameters, List<String> protocolOptions)
    implements StartupPacket {
  static final int MAJOR_VERSION = 3;

  /** PostgreSQL 18's; what is new in it are longer keys for cancel requests. */
  public static final int NEWEST_MINOR_VERSION = 2;

  private static final int LONG_KEYS_SINCE_MINOR_VERSION = 2;

  static final String PROTOCOL_OPTION_PREFIX = "_pq_.";

  public @Nullable String user() {
    return parameters.get("user");
  }

  /** The name asked for; the user's where none is. */
  public @Nullable String database() {
    String database = parameters.get("database");
    return database == null || database.isEmpty() ? user() : database;
  }

  /** What is spoken: as asked, up to the newest that there is. */
  public int negotiatedMinorVersion() {
    return Math.min(minorVersion, NEWEST_MINOR_VERSION);
  }

  /** Whether the client must be told that it gets less than it asked for. */
  public boolean needsNegotiation() {
    return minorVersion > NEWEST_MINOR_VERSION || !protocolOptions.isEmpty();
  }

  /** How long the key for cancel requests is that the client is given. */
  public int cancelKeyBytes() {
    return minorVersion >= LONG_KEYS_SINCE_MINOR_VERSION
        ? SecretKey.LONG_BYTES
        : SecretKey.SHORT_BYTES;
  }

  /** The whole packet, without protocol options. */
  public Buffer encode() {
    Buffer out = Buffer.buffer(256).appendInt(0).appendInt(MAJOR_VERSION << 16 | minorVersion);
    parameters.forEach((name, value) ->
        out.appendBytes(name.getBytes(StandardCharsets.UTF_8))
            .appendByte((byte) 0)
            .appendBytes(value.getBytes(StandardCharsets.UTF_8))
            .appendByte((byte) 0));
    out.appendByte((byte) 0);
    return out.setInt(0, out.length());
  }
}
