package dev.ebb.shared.bus;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One instance of any message, the same at every run, with a different value in every place. */
final class Samples {
  private int counter;

  static BusMessage of(Class<? extends BusMessage> type) {
    return type.cast(new Samples().value(type));
  }

  /** The same with nothing in its components that may be null. */
  static BusMessage withoutOptional(Class<? extends BusMessage> type) {
    var samples = new Samples();
    samples.nulls = true;
    return type.cast(samples.value(type));
  }

  private boolean nulls;

  private Object value(Type generic) {
    counter++;
    if (generic instanceof ParameterizedType list) {
      Type element = list.getActualTypeArguments()[0];
      return List.of(value(element), value(element));
    }
    Class<?> type = (Class<?>) generic;
    if (type == int.class) {
      return 0x01000000 + counter;
    }
    if (type == long.class) {
      return 0x0100000000000000L + counter;
    }
    if (type == boolean.class) {
      return counter % 2 == 0;
    }
    if (type == String.class) {
      return "text" + counter;
    }
    if (type == byte[].class) {
      return new byte[] {(byte) counter, 0, -1};
    }
    if (type.isEnum()) {
      return type.getEnumConstants()[counter % type.getEnumConstants().length];
    }
    return instance(type);
  }

  private Object instance(Class<?> type) {
    RecordComponent[] components = type.getRecordComponents();
    var types = new Class<?>[components.length];
    var values = new @Nullable Object[components.length];
    for (int i = 0; i < components.length; i++) {
      types[i] = components[i].getType();
      boolean optional = components[i].getAnnotatedType().isAnnotationPresent(Nullable.class);
      values[i] = optional && nulls ? null : value(components[i].getGenericType());
    }
    try {
      var constructor = type.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return constructor.newInstance(values);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("no sample of " + type, e);
    }
  }
}
