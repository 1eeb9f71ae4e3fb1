package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import io.vertx.core.buffer.Buffer;
import java.security.MessageDigest;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;

/**
 * What a cancel request must repeat: 4 bytes up to protocol 3.1, 4 to 256 from 3.2 on. Compared in
 * constant time, never printed.
 */
public final class SecretKey {
  /** Of protocol 3.0. */
  public static final int SHORT_BYTES = 4;

  /** What is handed out from protocol 3.2 on: nobody guesses 256 bits. As PostgreSQL 18 does. */
  public static final int LONG_BYTES = 32;

  static final int MAX_BYTES = 256;

  private final byte[] bytes;

  private SecretKey(byte[] bytes) {
    this.bytes = bytes;
  }

  /** A new one. */
  public static SecretKey random(SecureRandom random, int length) {
    var bytes = new byte[length];
    random.nextBytes(bytes);
    return new SecretKey(bytes);
  }

  /** One of protocol 3.0. */
  public static SecretKey of(int value) {
    return new SecretKey(Buffer.buffer(SHORT_BYTES).appendInt(value).getBytes());
  }

  /** Takes the rest of a message, which a length has to fit. */
  static SecretKey read(ByteBuf in, int atLeast, String what) {
    int length = in.readableBytes();
    if (length < atLeast || length > MAX_BYTES) {
      throw new ProtocolViolation(what);
    }
    var bytes = new byte[length];
    in.readBytes(bytes);
    return new SecretKey(bytes);
  }

  public int length() {
    return bytes.length;
  }

  void appendTo(Buffer out) {
    out.appendBytes(bytes);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof SecretKey that && MessageDigest.isEqual(bytes, that.bytes);
  }

  @Override
  public int hashCode() {
    return bytes.length;
  }

  @Override
  public String toString() {
    return "***";
  }
}
