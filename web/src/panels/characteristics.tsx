// One input a configurable characteristic, in the form its value type asks for.
export type Value = string | number | boolean;
export type Values = Record<string, Value>;

type Characteristic = {
  name: string;
  valueType: string;
  configurable?: boolean;
  allowedValues?: Value[] | null;
};

export function Characteristics(props: {
  characteristics: readonly Characteristic[];
  values: Values;
  onChange: (values: Values) => void;
}) {
  const set = (name: string, value: Value | undefined) => {
    const { [name]: _, ...others } = props.values;
    props.onChange(value === undefined ? others : { ...others, [name]: value });
  };
  return props.characteristics
    .filter((characteristic) => characteristic.configurable !== false)
    .map((characteristic) => (
      <label key={characteristic.name}>
        {characteristic.name}
        <Field characteristic={characteristic} value={props.values[characteristic.name]} onChange={(value) => set(characteristic.name, value)} />
      </label>
    ));
}

function Field(props: { characteristic: Characteristic; value: Value | undefined; onChange: (value: Value | undefined) => void }) {
  const { characteristic, value, onChange } = props;
  if (characteristic.valueType === "boolean") {
    return <input type="checkbox" checked={value === true} onChange={(event) => onChange(event.target.checked)} />;
  }
  if (characteristic.allowedValues && characteristic.allowedValues.length > 0) {
    const values = characteristic.allowedValues;
    return (
      <select
        value={values.findIndex((one) => one === value)}
        onChange={(event) => onChange(values[Number(event.target.value)])}
      >
        <option value={-1}>–</option>
        {values.map((one, position) => (
          <option key={String(one)} value={position}>
            {String(one)}
          </option>
        ))}
      </select>
    );
  }
  const parse = (text: string): Value | undefined => {
    if (text === "") return undefined;
    return characteristic.valueType === "integer" && /^-?\d+$/.test(text) ? Number(text) : text;
  };
  return <input value={value === undefined ? "" : String(value)} onChange={(event) => onChange(parse(event.target.value))} />;
}
