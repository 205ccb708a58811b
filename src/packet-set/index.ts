/** The header-space algebra: sets of packet headers, exact, with their printing. Knows no rules. */
export { PacketSetBudgetError } from './diagram.ts';
export { type InterfaceSide, SPACE_FIELD_BITS, type SpaceField, type VarSet } from './field.ts';
export type { Header } from './header.ts';
export type { InterfaceName } from './interface-atoms.ts';
export * from './print.ts';
export {
  type FieldChanges,
  type PacketSet,
  PacketSpace,
  type PacketSpaceOptions,
  type SamplePreferences,
  type SpaceDimension,
  type Support,
  type ValueClass,
  type VariableSelection,
} from './space.ts';
