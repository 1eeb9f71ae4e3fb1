package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads startup packets as {@code ProcessStartupPacket} in PostgreSQL's {@code backend_startup.c}
 * does, with the same limit.
 */
public final class StartupDecoder {
  /** {@code MAX_STARTUP_PACKET_LENGTH}, counted without the length word. */
  public static final int MAX_BYTES = 10_000;

  private static final int MIN_BYTES = 4;

  private StartupDecoder() {}

  /**
   * Takes one packet from {@code in}.
   *
   * @return null where more bytes are needed; nothing is taken then
   * @throws ProtocolViolation as soon as the bytes cannot become a packet
   */
  public static @Nullable StartupPacket decode(ByteBuf in) {
    if (in.readableBytes() < 4) {
      return null;
    }
    int length = in.getInt(in.readerIndex());
    if (length < MIN_BYTES + 4 || length > MAX_BYTES + 4) {
      throw new ProtocolViolation("invalid length of startup packet: is this a PostgreSQL client?");
    }
    if (in.readableBytes() < length) {
      return null;
    }
    ByteBuf packet = in.readSlice(length).skipBytes(4);
    int code = packet.readInt();
    return switch (code) {
      case SslRequest.CODE -> expectEnd(packet, new SslRequest());
      case GssEncRequest.CODE -> expectEnd(packet, new GssEncRequest());
      case CancelRequest.CODE -> cancelRequest(packet);
      default -> startupMessage(code, packet);
    };
  }

  private static StartupPacket cancelRequest(ByteBuf packet) {
    String wrong = "invalid length of cancel request";
    if (packet.readableBytes() < Integer.BYTES) {
      throw new ProtocolViolation(wrong);
    }
    return new CancelRequest(packet.readInt(), SecretKey.read(packet, 1, wrong));
  }

  private static StartupPacket startupMessage(int version, ByteBuf packet) {
    int major = version >>> 16;
    int minor = version & 0xFFFF;
    if (major != StartupMessage.MAJOR_VERSION) {
      throw new ProtocolViolation(
          "unsupported frontend protocol "
              + major
              + "."
              + minor
              + ": server supports 3.0 to 3."
              + StartupMessage.NEWEST_MINOR_VERSION);
    }
    Map<String, String> parameters = new LinkedHashMap<>();
    List<String> protocolOptions = new ArrayList<>();
    while (true) {
      String name = WireText.read(packet, "the startup packet");
      if (name.isEmpty()) {
        break;
      }
      String value = WireText.read(packet, "a startup parameter");
      if (name.startsWith(StartupMessage.PROTOCOL_OPTION_PREFIX)) {
        protocolOptions.add(name);
      } else {
        parameters.put(name, value);
      }
    }
    expectEnd(packet, new SslRequest());
    return new StartupMessage(minor, parameters, protocolOptions);
  }

  private static StartupPacket expectEnd(ByteBuf packet, StartupPacket decoded) {
    if (packet.isReadable()) {
      throw new ProtocolViolation(
          "invalid startup packet layout: expected terminator as last byte");
    }
    return decoded;
  }
}
